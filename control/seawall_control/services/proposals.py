"""Proposals: kept, listed, handed to whoever approves them, dropped when their time is over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from seawall_control.domain import proposals
from seawall_control.domain.errors import EtagMismatch, NotFound, PreconditionFailed
from seawall_control.domain.proposals import KIND, MAX_WAITING, Proposal
from seawall_control.domain.records import Delete, Put
from seawall_control.domain.revisions import MAX_MESSAGE, policy_set_name
from seawall_control.services.edge import Clock, Ids
from seawall_control.store.port import PolicyStore, RecordStore

T = TypeVar("T")


class ProposalService:
    """The use cases of proposals."""

    def __init__(self, records: RecordStore, policies: PolicyStore, clock: Clock, ids: Ids) -> None:
        self._records = records
        self._policies = policies
        self._clock = clock
        self._ids = ids

    async def propose(
        self, change: bytes, *, policy_set: str, etag: str, author: str, person: str, message: str
    ) -> Proposal:
        """Keep a change that was checked. Raise `EtagMismatch`, `InvalidRequest` or `PreconditionFailed`."""
        name = policy_set_name(policy_set)
        latest = await self._policies.latest(name)
        based_on = "" if latest is None else latest.hash
        if etag and etag != based_on:
            raise EtagMismatch(etag, based_on)
        if len(await self.waiting()) >= MAX_WAITING:
            raise PreconditionFailed(f"{MAX_WAITING} proposals wait already; approve or reject some first")
        made = Proposal(
            id=self._ids.new(),
            policy_set=name,
            author=author,
            person=person,
            message=message[:MAX_MESSAGE],
            based_on=based_on,
            created_us=self._clock.now_us(),
            change=change,
        )
        put = Put(KIND, made.id, proposals.encoded(made), expected=0)
        await self._records.commit([put], at_us=made.created_us)
        return replace(made, change=b"")

    async def waiting(self) -> list[Proposal]:
        """Return the proposals that wait, the oldest first, without their changes; drop those whose time is
        over.
        """
        now_us = self._clock.now_us()
        found = [
            proposals.decoded(document.name, document.body)
            for document in await self._records.documents(KIND, limit=2 * MAX_WAITING)
        ]
        over = [one for one in found if one.expires_us <= now_us]
        if over:
            await self._records.commit([Delete(KIND, one.id) for one in over], at_us=now_us)
        return [replace(one, change=b"") for one in found if one.expires_us > now_us]

    async def get(self, proposal_id: str) -> Proposal:
        """Return a proposal. Raise `NotFound`."""
        document = await self._records.document(KIND, proposal_id) if proposal_id else None
        found = None if document is None else proposals.decoded(document.name, document.body)
        if found is None or found.expires_us <= self._clock.now_us():
            raise NotFound(
                f"no proposal {proposal_id[:64]!r} waits: it was approved, rejected, or its time was over; "
                "`seawall proposals list` shows those that do"
            )
        return found

    async def approve(
        self, proposal_id: str, approver: str, person: str, apply: Callable[[Proposal], Awaitable[T]]
    ) -> T:
        """Let a proposal be applied and drop it; return what `apply` gives. Raise `NotFound`,
        `PermissionDenied` for the author and other credentials of the same person, and what `apply` raises:
        the proposal waits on then.
        """
        proposal = await self.get(proposal_id)
        proposals.check_other(proposal, approver, person)
        latest = await self._policies.latest(proposal.policy_set)
        # The request id says below whether it was applied already, and only its end was not seen.
        if await self._policies.answered(proposal.id) is None and proposal.based_on != (
            "" if latest is None else latest.hash
        ):
            raise EtagMismatch(proposal.based_on, "" if latest is None else latest.hash)
        result = await apply(proposal)
        await self._records.commit([Delete(KIND, proposal_id)], at_us=self._clock.now_us())
        return result

    async def reject(self, proposal_id: str) -> None:
        """Drop a proposal. Raise `NotFound`."""
        await self.get(proposal_id)
        await self._records.commit([Delete(KIND, proposal_id)], at_us=self._clock.now_us())
