"""Documents that extend a policy set: written out, checked as a whole, followed by those that extend them.

What proxies get is always the whole. So a document is judged with what it extends, and a change of a base
with every set that extends it: one that would break a single one of them changes nothing, and says whose
mistakes they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from google.protobuf.message import DecodeError

from seawall.v1 import policy_pb2
from seawall_control.domain.errors import (
    BaseMoved,
    FieldProblem,
    InvalidRequest,
    PolicyInvalid,
    PreconditionFailed,
)
from seawall_control.domain.inheritance import check_line, in_order
from seawall_control.domain.revisions import Draft, Revision, next_revision, policy_set_name
from seawall_control.services.edge import Clock
from seawall_control.store.port import PolicyStore
from seawall_policy.compile import codes
from seawall_policy.compile.document import compile_document, digest
from seawall_policy.compile.layers import MAX_LAYERS, Setting, merged, placed, settings
from seawall_policy.compile.report import Violation

MAX_DOCUMENT_BYTES: Final = 8 * 1024 * 1024
LARGE_BYTES: Final = 32 * 1024
"""A document of more than this is checked in a thread: one of a few thousand routes takes a good part of a
second.
"""

Document = policy_pb2.PolicyDocument


def document_of(revision: Revision) -> Document:
    """Return the document that proxies get of a revision that was read with it."""
    return _parsed(revision.document, revision.name)


def own_document_of(revision: Revision) -> Document:
    """Return the document of a revision as it was applied."""
    return _parsed(revision.own or revision.document, revision.name)


def _parsed(data: bytes, name: str) -> Document:
    document = Document()
    try:
        document.ParseFromString(data)
    except DecodeError as error:
        raise PreconditionFailed(f"the stored document of {name} cannot be read: {error}") from error
    return document


def encoded(document: Document) -> bytes:
    """Return a document as it is stored. Raise `InvalidRequest` for one that is too large."""
    raw = document.SerializeToString(deterministic=True)
    if len(raw) > MAX_DOCUMENT_BYTES:
        raise InvalidRequest(f"the document has {len(raw)} bytes; at most {MAX_DOCUMENT_BYTES} are allowed")
    return raw


@dataclass(frozen=True, slots=True)
class Whole:
    """A document with everything that it extends."""

    document: Document
    own: Document
    base: Revision | None
    """What is written out in it; None where it extends nothing, or nothing that there is."""
    violations: tuple[Violation, ...]
    """Where they were written: `routes[0].policy`, or `SET: routes[0].policy` in what it extends."""

    @property
    def problems(self) -> tuple[FieldProblem, ...]:
        """The mistakes; warnings are none."""
        return tuple(FieldProblem(v.field, v.message, v.code) for v in self.violations if not v.warning)


@dataclass(frozen=True, slots=True)
class Layer:
    """One of the documents that a document is made of."""

    policy_set: str
    revision: int
    """0 for a document that is not applied yet."""


@dataclass(frozen=True, slots=True)
class Description:
    """A document written out, and whose each setting is."""

    document: Document
    layers: tuple[Layer, ...]
    settings: tuple[Setting, ...]
    extended_by: tuple[str, ...]
    behind: bool
    """What it extends has changed since, and it did not follow: it was rolled back."""


class Inheritance:
    """Reads what documents extend, and who extends them."""

    def __init__(self, store: PolicyStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def whole(self, document: Document, policy_set: str) -> Whole:
        """Return a document with what it extends written out, and all mistakes of the whole. Raise
        `InvalidRequest` for a set that would extend itself, or a line of sets that is too long.
        """
        if not document.extends:
            return Whole(document, document, None, await self._checked(document))
        name = policy_set_name(document.extends)
        base = None if name == policy_set else await self._store.latest(name)
        line = [name, *(await self._line(base))]
        check_line(policy_set, line, longest=MAX_LAYERS)
        if base is None:
            missing = Violation(
                "extends", f"there is no policy set {name}; apply it first", codes.NOT_WRITTEN_OUT
            )
            return Whole(document, document, None, (missing,))
        below = document_of(base)
        found = merged(below, document)
        return Whole(found, document, base, await self._placed(name, below, document, found))

    async def _checked(self, document: Document) -> tuple[Violation, ...]:
        wall_s = self._clock.now_us() / 1e6
        if document.ByteSize() <= LARGE_BYTES:
            return compile_document(document, wall_s=wall_s).violations
        return (await asyncio.to_thread(compile_document, document, wall_s=wall_s)).violations

    async def _placed(
        self, name: str, base: Document, own: Document, whole: Document
    ) -> tuple[Violation, ...]:
        found = []
        for violation in await self._checked(whole):
            place = placed(base, own, violation)
            if not place.in_base:
                found.append(violation)
            elif not violation.warning:
                found.append(replace(place.violation, field=f"{name}: {place.violation.field}"))
            # Warnings about what the base alone says are the business of those who write the base.
        return tuple(found)

    async def _line(self, revision: Revision | None) -> list[str]:
        """Return the sets that a revision extends today, nearest first, as far as anybody may go."""
        found: list[str] = []
        while revision is not None and revision.base and len(found) <= MAX_LAYERS:
            found.append(revision.base)
            revision = await self._store.latest(revision.base)
        return found

    async def way_back(self, old: Revision) -> Revision:
        """Return what is brought back of an old revision. The way back is never barred: where its base
        extends the set today, or the line would be too long, its content comes back and stands alone.
        """
        if not old.base:
            return old
        line = [old.base, *(await self._line(await self._store.latest(old.base)))]
        if old.policy_set not in line and len(line) < MAX_LAYERS:
            return old
        return replace(old, base="", base_revision=0, own=b"")

    # ---------------------------------------------------------------------------------------------- followers

    async def followers(
        self, draft: Draft, *, above: Callable[[str], int] = lambda _: 0
    ) -> tuple[Draft, ...]:
        """Return what becomes of the sets that extend the draft's, directly or not, each after what it
        extends; none when the draft changes nothing. `above` gives what numbers of a set go on from. Raise
        `PolicyInvalid` when one of them would not be whole any more, and `BaseMoved` when the draft would
        close a circle.
        """
        applied = next_revision(await self._store.latest(draft.policy_set), replace(draft, etag=""))
        if not applied.changed:
            return ()
        changed = {draft.policy_set: (draft.document, applied.revision.revision)}
        problems: list[FieldProblem] = []
        found: list[Draft] = []
        following = await self.following(draft.policy_set)
        if draft.base in following:
            raise BaseMoved(draft.policy_set)  # its base has begun to extend it since that was looked at
        for name in following:
            latest = await self._store.revision(name, 0)
            if latest.base not in changed:
                continue  # it has just turned away; the store notices if it comes back
            data, number = changed[latest.base]
            below, own = _parsed(data, latest.base), own_document_of(latest)
            document = merged(below, own)
            placed_ones = await self._placed(latest.base, below, own, document)
            mistakes = [v for v in placed_ones if not v.warning]
            problems += [FieldProblem(f"{name}: {v.field}", v.message, v.code) for v in mistakes]
            follower = Draft(
                policy_set=name,
                hash=digest(document),
                document=encoded(document),
                author=draft.author,
                message=f"Follows revision {number} of {latest.base}",
                create_time_us=draft.create_time_us,
                etag=latest.hash,
                base=latest.base,
                base_revision=number,
                own=latest.own,
                after=latest.revision,
                above=above(name),
            )
            made = next_revision(latest, follower)
            changed[name] = (follower.document, made.revision.revision)
            found.append(follower)
        if problems:
            broken = sorted({problem.field.partition(":")[0] for problem in problems})
            raise PolicyInvalid(
                f"the change would break what extends {draft.policy_set}: {', '.join(broken)}; nothing was "
                "changed. Change those first, or leave what they need",
                tuple(problems),
            )
        return tuple(found)

    async def following(self, policy_set: str) -> list[str]:
        """Return the sets that extend this one, directly or not, each after what it extends. Raise
        `InvalidRequest` when there are too many.
        """
        extending: dict[str, Sequence[str]] = {}
        left = [policy_set]
        while left:
            name = left.pop()
            extending[name] = await self._store.extending(name)
            left += [one for one in extending[name] if one not in extending]
        return in_order(policy_set, extending)

    # ------------------------------------------------------------------------------------------------- views

    async def describe(self, policy_set: str, revision: Revision | Document) -> Description:
        """Return what a revision, or a document that is to be applied to the set, is made of."""
        extended_by = tuple(await self._store.extending(policy_set))
        if isinstance(revision, Document):
            whole = await self.whole(revision, policy_set)
            if whole.problems:
                raise PolicyInvalid("the document has mistakes", whole.problems)
            layers = [Layer(policy_set, 0)]
            documents = [whole.own]
            below, document, behind = whole.base, whole.document, False
        else:
            layers, documents = [], []
            below, document = revision, document_of(revision)
            behind = await self._is_behind(revision)
        while below is not None:
            layers.append(Layer(below.policy_set, below.revision))
            documents.append(own_document_of(below))
            if not below.base or len(layers) > MAX_LAYERS:
                break
            below = await self._store.revision(below.base, below.base_revision)
        return Description(document, tuple(layers), tuple(settings(document, documents)), extended_by, behind)

    async def _is_behind(self, revision: Revision) -> bool:
        if not revision.base:
            return False
        newest = await self._store.latest(revision.base)
        if newest is None or newest.revision == revision.base_revision:
            return False
        return digest(merged(document_of(newest), own_document_of(revision))) != revision.hash
