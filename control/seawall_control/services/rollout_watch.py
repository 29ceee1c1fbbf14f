"""Followers of rollouts: each has room for the newest state only, so a slow one costs nothing and misses
nothing that still holds.
"""

from __future__ import annotations

import asyncio
from typing import Final

from seawall_control.domain.errors import TooManyStreams
from seawall_control.domain.rollout.machine import Rollout

WATCHERS: Final = 256


class Watcher:
    """One follower of one policy set."""

    def __init__(self, policy_set: str) -> None:
        self.policy_set = policy_set
        self._latest: Rollout | None = None
        self._something = asyncio.Event()
        self._closed: Exception | None = None

    def offer(self, rollout: Rollout) -> None:
        """Keep the newest state."""
        if rollout.policy_set == self.policy_set and rollout != self._latest:
            self._latest = rollout
            self._something.set()

    def close(self, error: Exception) -> None:
        """End the stream with an error."""
        self._closed = error
        self._something.set()

    async def next(self) -> Rollout:
        """Return the newest state, once it differs from the last one returned. Raise what closed it."""
        while True:
            await self._something.wait()
            self._something.clear()
            if self._closed is not None:
                raise self._closed
            if self._latest is not None:
                return self._latest


class Watchers:
    """All followers."""

    def __init__(self) -> None:
        self._all: set[Watcher] = set()

    def follow(self, policy_set: str) -> Watcher:
        """Add a follower. Raise `TooManyStreams` over the bound."""
        if len(self._all) >= WATCHERS:
            raise TooManyStreams(f"{WATCHERS} readers follow rollouts already; close one")
        watcher = Watcher(policy_set)
        self._all.add(watcher)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Remove a follower."""
        self._all.discard(watcher)

    def tell(self, rollout: Rollout) -> None:
        """Tell everybody who follows the set."""
        for watcher in self._all:
            watcher.offer(rollout)

    def close(self, error: Exception) -> None:
        """End all streams."""
        for watcher in self._all:
            watcher.close(error)
