"""Policies: checked with the proxies' own compiler, kept as revisions, compared, rolled back, handed on to be
pushed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from google.protobuf.message import DecodeError

from seawall.v1 import policy_pb2
from seawall_control.domain import paging
from seawall_control.domain.errors import (
    FieldProblem,
    InvalidRequest,
    NotFound,
    PolicyInvalid,
    PreconditionFailed,
)
from seawall_control.domain.revisions import (
    Applied,
    Draft,
    Revision,
    checked_request_id,
    policy_set_name,
)
from seawall_control.domain.rollout.machine import Rollout
from seawall_control.domain.rollout.strategy import Strategy
from seawall_control.services.edge import Clock
from seawall_control.store.port import PolicyStore
from seawall_policy.compile.document import compile_document, digest
from seawall_policy.compile.report import Violation
from seawall_policy.diff import changes

MAX_DOCUMENT_BYTES: Final = 8 * 1024 * 1024
SHRINK_ROUTES: Final = 10
"""Routes that a set must have before the loss of more than half of them is suspicious."""
PAGE: Final = 50
MAX_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Application:
    """The newest revision after a change, how it is rolled out, and the warnings about its document."""

    applied: Applied
    warnings: tuple[Violation, ...]
    rollout: Rollout | None = None
    targets: tuple[str, ...] = ()
    """Connected proxies that get the revision now, or would."""


@dataclass(frozen=True, slots=True)
class Change:
    """One changed field; values as JSON."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs, and which revision was on the left."""

    changes: tuple[Change, ...]
    from_revision: int


@dataclass(frozen=True, slots=True)
class RevisionPage:
    """Revisions without documents, and the token of the next page."""

    revisions: Sequence[Revision]
    next_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a change is to reach the proxies."""

    strategy: Strategy | None = None
    """None: everybody at once."""
    supersede: bool = False
    """Take the place of a rollout that is under way, instead of being refused."""
    allow_shrink: bool = False
    """More than half of the routes may go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What became of a change."""

    applied: Applied
    rollout: Rollout | None = None
    targets: tuple[str, ...] = ()
    """Connected proxies that get the revision now, or would."""


AT_ONCE: Final = Plan()


class Publisher(Protocol):
    """Makes revisions and hands them to the proxies."""

    def stable(self, policy_set: str) -> int:
        """Return the revision that a rollout under way would go back to; 0 when none is."""
        ...

    async def publish(self, draft: Draft, plan: Plan, *, validate_only: bool) -> Publication:
        """Make a draft the newest revision of its set, for everybody or by stages.

        Raises `EtagMismatch`, `InvalidRequest`, and `PreconditionFailed` while a rollout is under way that is
        not to be superseded.
        """
        ...


def document_of(revision: Revision) -> policy_pb2.PolicyDocument:
    """Return the document of a revision that was read with it."""
    document = policy_pb2.PolicyDocument()
    try:
        document.ParseFromString(revision.document)
    except DecodeError as error:
        raise PreconditionFailed(f"the stored document of {revision.name} cannot be read: {error}") from error
    return document


class PolicyService:
    """The use cases of policies."""

    def __init__(self, store: PolicyStore, clock: Clock, publisher: Publisher) -> None:
        self._store = store
        self._clock = clock
        self._publisher = publisher

    def validate(self, document: policy_pb2.PolicyDocument) -> tuple[Violation, ...]:
        """Return all mistakes and warnings of a document."""
        return compile_document(document, wall_s=self._clock.now_us() / 1e6).violations

    async def apply(
        self,
        document: policy_pb2.PolicyDocument,
        *,
        policy_set: str = "",
        etag: str = "",
        validate_only: bool = False,
        request_id: str = "",
        author: str = "",
        message: str = "",
        plan: Plan = AT_ONCE,
    ) -> Application:
        """Make a document the newest revision. Raise `PolicyInvalid`, `EtagMismatch`, `InvalidRequest` or
        `PreconditionFailed`.
        """
        name = policy_set_name(policy_set)
        violations = self.validate(document)
        mistakes = tuple(v for v in violations if not v.warning)
        if mistakes:
            raise PolicyInvalid(
                f"the policy has mistakes ({len(mistakes)}); nothing was changed",
                tuple(FieldProblem(v.field, v.message, v.code) for v in mistakes),
            )
        if not plan.allow_shrink:
            await self._check_shrink(name, document)
        raw = document.SerializeToString(deterministic=True)
        if len(raw) > MAX_DOCUMENT_BYTES:
            raise InvalidRequest(
                f"the document has {len(raw)} bytes; at most {MAX_DOCUMENT_BYTES} are allowed"
            )
        draft = Draft(
            policy_set=name,
            hash=digest(document),
            document=raw,
            author=author,
            message=message,
            create_time_us=self._clock.now_us(),
            etag=etag,
            request_id=checked_request_id(request_id),
        )
        found = await self._publisher.publish(draft, plan, validate_only=validate_only)
        warnings = tuple(v for v in violations if v.warning)
        return Application(found.applied, warnings, found.rollout, found.targets)

    async def _check_shrink(self, policy_set: str, document: policy_pb2.PolicyDocument) -> None:
        """Raise `PreconditionFailed` for a document that takes most routes away, as half a file does."""
        latest = await self._store.latest(policy_set)
        if latest is None:
            return
        before, after = len(document_of(latest).routes), len(document.routes)
        if before >= SHRINK_ROUTES and 2 * after < before:
            raise PreconditionFailed(
                f"the document has {after} routes and revision {latest.revision} "
                f"of policy set {policy_set} has {before}: more than half would go. If that is meant, "
                "allow it (allow_shrink, `seawall apply --allow-shrink`)"
            )

    async def rollback(
        self,
        *,
        policy_set: str = "",
        revision: int = 0,
        etag: str = "",
        validate_only: bool = False,
        request_id: str = "",
        author: str = "",
        message: str = "",
    ) -> Revision:
        """Make an older revision's content the newest revision; 0 means the one before the newest, or the one
        that a rollout under way would go back to.
        """
        name = policy_set_name(policy_set)
        request_id = checked_request_id(request_id)
        if revision == 0 and request_id and (before := await self._store.answered(request_id)) is not None:
            # "The one before the newest" is another one by now; the first answer stands.
            if before.revision.policy_set != name or not before.revision.rollback_of:
                raise InvalidRequest(f"request_id {request_id} was used for another change; use a new UUID")
            return before.revision
        latest = await self._store.revision(name, 0)
        number = revision
        if number == 0:
            # Whoever applies in between changes which one that is.
            etag = etag or latest.hash
            number = self._publisher.stable(name) or await self._before(latest)
            if number == 0:
                raise PreconditionFailed(
                    f"policy set {name} has only one revision; there is none to go back to"
                )
        old = await self._store.revision(name, number)
        draft = Draft(
            policy_set=name,
            hash=old.hash,
            document=old.document,
            author=author,
            message=message or f"Back to revision {number}",
            create_time_us=self._clock.now_us(),
            rollback_of=number,
            etag=etag,
            request_id=request_id,
        )
        # The way back is never barred: it ends a rollout that is under way.
        plan = Plan(supersede=True)
        return (await self._publisher.publish(draft, plan, validate_only=validate_only)).applied.revision

    async def _before(self, latest: Revision) -> int:
        """Return the newest revision with another content, 0 if there is none. A restored store may have the
        same content under two numbers, and numbers that nobody has.
        """
        older = await self._store.revisions(latest.policy_set, before=latest.revision, limit=PAGE)
        return next((r.revision for r in older if r.hash != latest.hash), 0)

    async def revision(self, *, policy_set: str = "", number: int = 0) -> Revision:
        """Return a revision with its document; 0 means the newest. Raise `NotFound`."""
        return await self._store.revision(policy_set_name(policy_set), number)

    async def revisions(self, *, policy_set: str = "", size: int = 0, token: str = "") -> RevisionPage:
        """Return revisions, newest first."""
        name = policy_set_name(policy_set)
        limit = paging.page_size(size, default=PAGE, most=MAX_PAGE)
        scope = ("revisions", name)
        before = int(paging.decode(token, scope)[0]) if token else 0
        found = await self._store.revisions(name, before=before, limit=limit + 1)
        page = found[:limit]
        return RevisionPage(page, paging.encode((page[-1].revision,), scope) if len(found) > limit else "")

    async def diff(
        self,
        *,
        policy_set: str = "",
        from_revision: int = 0,
        to_revision: int = 0,
        document: policy_pb2.PolicyDocument | None = None,
    ) -> Comparison:
        """Compare a revision with another or with a document. Raise `NotFound`."""
        name = policy_set_name(policy_set)
        if (to_revision != 0) == (document is not None):
            raise InvalidRequest("compare either with to_revision or with a document")
        left_number = 0
        left = policy_pb2.PolicyDocument()
        try:
            base = await self._store.revision(name, from_revision)
            left_number, left = base.revision, document_of(base)
        except NotFound:
            if from_revision or document is None:
                raise
        right = (
            document if document is not None else document_of(await self._store.revision(name, to_revision))
        )
        return Comparison(
            tuple(Change(c.field, c.before, c.after) for c in changes(left, right)), left_number
        )
