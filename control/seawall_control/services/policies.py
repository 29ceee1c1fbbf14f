"""Policies: checked with the proxies' own compiler, kept as revisions, compared, rolled back, handed on to be
pushed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from seawall.v1 import policy_pb2
from seawall_control.domain import paging
from seawall_control.domain.errors import (
    BaseMoved,
    InvalidRequest,
    NotFound,
    PolicyInvalid,
    PreconditionFailed,
)
from seawall_control.domain.revisions import Draft, Revision, checked_request_id, policy_set_name
from seawall_control.services.edge import Clock
from seawall_control.services.inheritance import Description, Inheritance, Whole, document_of, encoded
from seawall_control.services.publications import AT_ONCE, TRIES, Plan, Publication, Publisher
from seawall_control.store.port import PolicyStore
from seawall_policy.compile.document import digest
from seawall_policy.compile.report import Violation
from seawall_policy.diff import changes

SHRINK_ROUTES: Final = 10
"""Routes that a set must have before the loss of more than half of them is suspicious."""
PAGE: Final = 50
MAX_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Application:
    """What became of a change, and the warnings about its document."""

    publication: Publication
    warnings: tuple[Violation, ...]


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


class PolicyService:
    """The use cases of policies."""

    def __init__(
        self, store: PolicyStore, clock: Clock, publisher: Publisher, *, two_person: bool = False
    ) -> None:
        """With `two_person` a new document takes the approval of a second person (services/proposals.py)."""
        self.two_person = two_person
        self._store = store
        self._clock = clock
        self._publisher = publisher
        self._inheritance = Inheritance(store, clock)

    async def validate(
        self, document: policy_pb2.PolicyDocument, *, policy_set: str = ""
    ) -> tuple[Violation, ...]:
        """Return all mistakes and warnings of a document with what it extends, and the mistakes of the sets
        that extend this one and would change with it. Raise `InvalidRequest`.
        """
        name = policy_set_name(policy_set)
        whole = await self._inheritance.whole(document, name)
        if whole.problems:
            return whole.violations
        try:
            await self._inheritance.followers(self._draft(whole, name))
        except PolicyInvalid as error:
            broken = tuple(Violation(p.field, p.message, p.code) for p in error.problems)
            return (*whole.violations, *broken)
        return whole.violations

    def _draft(self, whole: Whole, policy_set: str, **more: Any) -> Draft:
        base = whole.base
        return Draft(
            policy_set=policy_set,
            hash=digest(whole.document),
            document=encoded(whole.document),
            create_time_us=self._clock.now_us(),
            base="" if base is None else base.policy_set,
            base_revision=0 if base is None else base.revision,
            own=b"" if base is None else encoded(whole.own),
            **more,
        )

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
        approved: bool = False,
    ) -> Application:
        """Make a document the newest revision. Raise `PolicyInvalid`, `EtagMismatch`, `InvalidRequest`,
        `PreconditionFailed`, or `BaseMoved` when others change what it extends all the time.
        """
        if self.two_person and not approved and not validate_only:
            raise PreconditionFailed(
                "policies are changed by two people here: propose the change (seawall proposals create "
                "FILE), and somebody else approves it"
            )
        name = policy_set_name(policy_set)
        request_id = checked_request_id(request_id)
        for tried in range(TRIES):
            whole = await self._inheritance.whole(document, name)
            if problems := whole.problems:
                raise PolicyInvalid(
                    f"the policy has mistakes ({len(problems)}); nothing was changed", problems
                )
            if not plan.allow_shrink:
                await self._check_shrink(name, whole.document)
            draft = self._draft(whole, name, author=author, message=message, etag=etag, request_id=request_id)
            try:
                found = await self._publisher.publish(draft, plan, validate_only=validate_only)
            except BaseMoved:
                if tried == TRIES - 1:
                    raise
            else:
                return Application(found, tuple(v for v in whole.violations if v.warning))
        raise AssertionError("unreachable")

    async def _check_shrink(self, policy_set: str, document: policy_pb2.PolicyDocument) -> None:
        """Raise `PreconditionFailed` for a document that takes most routes away, as half a file does."""
        latest = await self._store.latest(policy_set)
        if latest is None:
            return
        before, after = len(document_of(latest).routes), len(document.routes)
        if (before and not after) or (before >= SHRINK_ROUTES and 2 * after < before):
            raise PreconditionFailed(
                f"the document has {after or 'no'} routes and revision {latest.revision} "
                f"of policy set {policy_set} has {before}: {'more than half' if after else 'all'} would go. "
                "If that is meant, allow it (allow_shrink, `seawall apply --allow-shrink`)"
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
        only: frozenset[str] | None = None,
    ) -> Publication:
        """Make an older revision's content the newest revision; 0 means the one before the newest, or the one
        that a rollout under way would go back to.
        """
        name = policy_set_name(policy_set)
        request_id = checked_request_id(request_id)
        if revision == 0 and request_id and (before := await self._store.answered(request_id)) is not None:
            # "The one before the newest" is another one by now; the first answer stands.
            if before.revision.policy_set != name or not before.revision.rollback_of:
                raise InvalidRequest(f"request_id {request_id} was used for another change; use a new UUID")
            return Publication(applied=before)
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
        plan = Plan(supersede=True, only=only)
        for tried in range(TRIES):
            old = await self._inheritance.way_back(old)
            draft = replace(draft, base=old.base, base_revision=old.base_revision, own=old.own)
            try:
                return await self._publisher.publish(draft, plan, validate_only=validate_only)
            except BaseMoved:
                if tried == TRIES - 1:
                    raise
        raise AssertionError("unreachable")

    async def describe(
        self,
        *,
        policy_set: str = "",
        number: int = 0,
        document: policy_pb2.PolicyDocument | None = None,
    ) -> Description:
        """Return what a revision (0: the newest), or a document that is to be applied, is made of. Raise
        `NotFound`, `InvalidRequest` or `PolicyInvalid`.
        """
        name = policy_set_name(policy_set)
        if document is not None:
            return await self._inheritance.describe(name, document)
        return await self._inheritance.describe(name, await self._store.revision(name, number))

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
        """Compare a revision with another or with a document, each with what it extends written out. Raise
        `NotFound`, `InvalidRequest` or `PolicyInvalid`.
        """
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
        if document is None:
            right = document_of(await self._store.revision(name, to_revision))
        else:
            whole = await self._inheritance.whole(document, name)
            if whole.base is None and document.extends:
                raise PolicyInvalid("what the document extends cannot be written out", whole.problems)
            right = whole.document
        return Comparison(
            tuple(Change(c.field, c.before, c.after) for c in changes(left, right)), left_number
        )
