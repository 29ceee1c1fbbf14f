"""What the control plane has this proxy do: policies put in force and kept, commands carried out."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic, time
from typing import TYPE_CHECKING

import seawall
from seawall.v1 import fleet_pb2, policy_pb2
from seawall_proxy.runtime.control.link import ControlLink, LinkIdentity
from seawall_proxy.runtime.control.pushes import AppliedPolicy
from seawall_proxy.runtime.control.security import link_security
from seawall_proxy.runtime.policy_holder import FROM_CONTROL_PLANE

if TYPE_CHECKING:
    from seawall_proxy.runtime.server import ProxyServer

log = logging.getLogger("seawall.proxy")


class Orders:
    """Does it, in the proxy that a server is the front of."""

    def __init__(self, server: ProxyServer) -> None:
        self._server: ProxyServer = server

    def applied(self) -> AppliedPolicy:
        """Say what is in force."""
        policy = self._server.plane.policy
        return AppliedPolicy(policy.revision, policy.digest, policy.source)

    async def apply(self, document: policy_pb2.PolicyDocument, revision: int, digest: str) -> list[str]:
        """Put a policy in force, and keep it for the next start; return why it was refused."""
        refused = await self._server.plane.apply(
            document, revision=revision, source=FROM_CONTROL_PLANE, patient=False
        )
        if refused:
            return refused
        log.info("revision %d is in force (%s)", revision, digest[:12])
        try:
            await asyncio.to_thread(self._server.last_good.save, document, revision, digest, time())
        except OSError as error:
            log.warning("revision %d is in force, but cannot be kept for the next start: %s", revision, error)
        return []

    async def command(self, command: fleet_pb2.Command) -> tuple[bool, str]:
        """Carry a command out; return whether that was done, and why not."""
        kind = command.WhichOneof("action")
        done, why = await self._server.plane.command(command)
        log.info("command %s: %s", kind, "done" if done else why)
        if done and kind == "drain" and not command.drain.cluster:
            duration_s = command.drain.duration.ToTimedelta().total_seconds()
            self._server.parked_until = monotonic() + duration_s
        elif done and kind == "undrain" and not command.undrain.cluster:
            self._server.parked_until = 0.0
        return done, why


def make_link(server: ProxyServer) -> ControlLink:
    """Return the link of a proxy to its control plane."""
    control = server.report.document.control
    identity = LinkIdentity(
        node=server.node,
        boot_id=server.boot_id,
        version=seawall.__version__,
        start_s=server.started_at,
        labels=dict(control.labels),
        policy_set=control.policy_set,
        admin_address=server.settings.admin_address or server.report.document.admin.address,
    )
    orders = Orders(server)
    return ControlLink(
        server.control_target,
        identity,
        server.pump,
        apply=orders.apply,
        applied=orders.applied,
        stats=server.plane.stats,
        command=orders.command,
        draw=server.dice.random,
        refused_path=server.state_dir / "refused_events.jsonl",
        security=link_security(
            control, server.control_target, server.settings.config_path.parent, server.state_dir
        ),
    )
