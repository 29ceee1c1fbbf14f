"""What the proxies of each policy set are to have: the newest revision, or the stable one while a rollout
withholds that; and the pushes, encoded once for all of them.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from seawall.v1 import fleet_pb2
from seawall_control.domain.fleet import ProxyRecord
from seawall_control.domain.revisions import Revision
from seawall_control.domain.rollout.machine import Rollout
from seawall_control.services.inheritance import document_of
from seawall_control.store.port import PolicyStore


@dataclass(frozen=True, slots=True)
class _Staged:
    """A rollout under way, and what those get who are not to have its revision yet."""

    rollout: Rollout
    stable: Revision


class PolicyTargets:
    """Kept for the sets that proxies follow, whether or not they have a revision yet. What others ask for is
    read and not kept, so names that nobody follows take no room.
    """

    def __init__(self, store: PolicyStore) -> None:
        self._store = store
        self._newest: dict[str, Revision | None] = {}
        self._staged: dict[str, _Staged] = {}
        self._bodies: dict[tuple[str, int], bytes] = {}

    # ----------------------------------------------------------------------------------------- the newest one

    async def follow(self, policy_set: str) -> Revision | None:
        """Return the newest revision of a set, and keep it, or that there is none."""
        if policy_set not in self._newest:
            self.offer(await self._store.latest(policy_set), policy_set)
        return self._newest[policy_set]

    async def newest(self, policy_set: str) -> Revision | None:
        """Return the newest revision of a set."""
        if policy_set in self._newest:
            return self._newest[policy_set]
        return await self._store.latest(policy_set)

    def kept(self, policy_set: str) -> Revision | None:
        """Return the newest revision that is kept of a set."""
        return self._newest.get(policy_set)

    def offer(self, revision: Revision | None, policy_set: str) -> None:
        """Keep a revision unless a newer one is known: it may have been read before that was made."""
        known = self._newest.get(policy_set)
        if known is None or (revision is not None and revision.revision > known.revision):
            self._newest[policy_set] = revision

    @property
    def sets(self) -> frozenset[str]:
        """The sets that are kept."""
        return frozenset(self._newest)

    def keep_only(self, followed: Container[str]) -> None:
        """Drop what is kept of sets that no proxy follows any more, unless a rollout is under way."""
        for name in [name for name in self._newest if name not in followed and name not in self._staged]:
            del self._newest[name]
            self._drop_bodies(name, keep=())

    # ---------------------------------------------------------------------------------------------- by stages

    def stage(self, rollout: Rollout, stable: Revision) -> None:
        """Withhold the newest revision of a set from those whom the rollout does not name."""
        self._staged[rollout.policy_set] = _Staged(rollout, stable)

    def unstage(self, policy_set: str) -> bool:
        """Withhold nothing any more; return whether anything was."""
        return self._staged.pop(policy_set, None) is not None

    @property
    def is_staging(self) -> bool:
        """Whether a rollout is under way."""
        return bool(self._staged)

    def wanted(self, proxy: ProxyRecord) -> Revision | None:
        """Return the revision that a proxy is to have: the newest of its set, unless a rollout withholds
        that; None when the set is empty, or no proxy of it has ever been here.
        """
        newest = self._newest.get(proxy.policy_set)
        staged = self._staged.get(proxy.policy_set)
        if (
            newest is not None
            and staged is not None
            and newest.revision > staged.stable.revision
            and not staged.rollout.wants(proxy.node, proxy.labels, proxy.applied_revision)
        ):
            return staged.stable
        return newest

    # ------------------------------------------------------------------------------------------------- pushes

    def body(self, policy_set: str, number: int) -> bytes | None:
        """Return the push of a revision that is being handed out, encoded, without its nonce; None when it is
        nobody's any more.
        """
        if (policy_set, number) in self._bodies:
            return self._bodies[policy_set, number]
        staged = self._staged.get(policy_set)
        in_use = [r for r in (self._newest.get(policy_set), staged.stable if staged else None) if r]
        self._drop_bodies(policy_set, keep={revision.revision for revision in in_use})
        for revision in in_use:
            if revision.revision == number:
                push = fleet_pb2.PolicyPush(
                    revision=revision.revision, hash=revision.hash, document=document_of(revision)
                )
                self._bodies[policy_set, number] = push.SerializeToString()
        return self._bodies.get((policy_set, number))

    def _drop_bodies(self, policy_set: str, *, keep: Container[int]) -> None:
        for key in [key for key in self._bodies if key[0] == policy_set and key[1] not in keep]:
            del self._bodies[key]
