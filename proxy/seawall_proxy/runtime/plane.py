"""The data path as the process in front of it sees it: one event loop of its own, or several workers.

The front (server.py) owns what exists once for a proxy: files, control link, event spool, admin HTTP,
signals. What it needs of the data path is here. With one worker the data path lives in the same process
(data_plane.py) and every method is a plain call; with more it is a pool of child processes (workers/).
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from seawall.v1 import fleet_pb2, policy_pb2
from seawall_proxy.runtime.breaker_file import BreakerKeeper
from seawall_proxy.runtime.breaker_images import Image
from seawall_proxy.runtime.sockets import Place


class PolicyInForce(Protocol):
    """What is in force, and what was refused."""

    document: policy_pb2.PolicyDocument
    source: str
    revision: int
    digest: str
    refused: list[str]


class Plane(Protocol):
    """The data path."""

    @property
    def policy(self) -> PolicyInForce:
        """What is in force."""

    @property
    def ready(self) -> bool:
        """Whether calls are accepted under a policy."""

    async def start(self, places: list[Place]) -> None:
        """Make ready to take a policy and to accept at these places, which stay the caller's; raise
        StartFailed when that cannot be.
        """

    async def apply(
        self, document: policy_pb2.PolicyDocument, *, revision: int, source: str, patient: bool
    ) -> list[str]:
        """Put a document in force everywhere, or nowhere; return why it was refused."""

    async def serve(self) -> None:
        """Accept connections; raise StartFailed when that cannot be."""

    def stop_accepting(self) -> None:
        """Accept no further connections; those who wait are somebody else's."""

    async def command(self, command: fleet_pb2.Command) -> tuple[bool, str]:
        """Do what the control plane says; return whether it was done, and why not."""

    def stats(self) -> fleet_pb2.StatsReport:
        """Return the cumulative numbers for the control plane."""

    async def status(self) -> dict[str, object]:
        """Return the data path's part of /status."""

    async def internals(self) -> dict[str, object]:
        """Return the body of /internals."""

    async def metrics(self) -> str:
        """Return the data path's part of the scrape page."""

    def keep_breakers(self, keeper: BreakerKeeper) -> None:
        """Tell the keeper of every breaker that is not plain closed."""

    def restore_breakers(self, images: list[Image]) -> None:
        """Let the breakers of the policy in force go on from their images."""

    def calls(self) -> int:
        """Return the calls in flight, as far as known."""

    async def run(self) -> None:
        """Look after everything that needs it until cancelled."""

    async def drain(self, grace_s: float, limit_s: float, hurry: asyncio.Event) -> None:
        """Stop accepting, tell clients to go elsewhere, wait for calls in flight, cut off what is left."""

    async def close(self) -> None:
        """Let go of everything."""
