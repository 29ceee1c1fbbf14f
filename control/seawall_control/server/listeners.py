"""What is listened on: HTTP, gRPC for everybody, gRPC for proxies where they have a port of their own.

All addresses are taken when this is made, so that a control plane that cannot serve says so before it does
anything; nothing is answered before `start`.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from seawall_control.api import alert_metrics, change_metrics, recovery_metrics
from seawall_control.api.grpc_server import GrpcServer
from seawall_control.api.http import HttpParts, HttpServer, bind
from seawall_control.server.registration import register
from seawall_control.server.services import Services
from seawall_control.server.settings import Addresses, version

TOLD_S: Final = 1.0
"""How long WebSockets may take to hear of the end."""


class AddressInUse(Exception):
    """A listener cannot be opened; the message says which and what to do."""


class Listeners:
    """The servers. Raise `AddressInUse`."""

    def __init__(self, uses: Services) -> None:
        settings, access = uses.settings, uses.access
        found = version()
        self.served = register(uses, found)
        methods = access.add_services(self.served)
        self._sock = sock = _bound(settings.http_address)
        try:
            self._grpc = access.grpc_server(self.served, methods, settings.grpc_address)
        except RuntimeError as error:
            sock.close()
            raise AddressInUse(
                f"the gRPC address {settings.grpc_address} cannot be used; choose another with --grpc"
            ) from error
        try:
            self._proxy_grpc = access.proxy_server(self.served, methods)
        except RuntimeError as error:
            sock.close()
            raise AddressInUse(
                f"the proxies' address {settings.access.proxy_grpc_address} cannot be used; choose another "
                "with --proxy-grpc"
            ) from error
        self.parts = HttpParts(
            uses.events,
            uses.event_views,
            uses.fleet,
            uses.health,
            uses.hub,
            uses.feed,
            uses.clock,
            self.served,
            found,
            access.gate,
            methods,
            lambda: uses.alerting.evaluator.firing,
            lambda: _changes(uses),
            settings.access.open_metrics,
        )
        tls = access.protection.admin
        self._http = HttpServer(
            self.parts, sock, origins=settings.http_origins, context=tls.http_context() if tls else None
        )
        self._serving_http: asyncio.Task[None] | None = None
        self._grace_s = settings.grace_s
        self.addresses = Addresses(
            self._grpc.address,
            self._http.address,
            self._proxy_grpc.address if self._proxy_grpc else "",
            secure=tls is not None,
        )

    def _grpc_servers(self) -> list[GrpcServer]:
        return [self._grpc, self._proxy_grpc] if self._proxy_grpc else [self._grpc]

    async def start(self) -> asyncio.Task[None]:
        """Serve. Return the task that serves HTTP, which ends with `stop` and not before."""
        self._serving_http = asyncio.get_running_loop().create_task(self._http.run(), name="seawall-http")
        for server in self._grpc_servers():
            await server.start()
        return self._serving_http

    async def drain(self) -> None:
        """Tell health checks that the end is near."""
        for server in self._grpc_servers():
            await server.drain()

    async def stop(self) -> None:
        """Take nothing new, let what runs finish for as long as the settings allow, and close."""
        await asyncio.gather(
            self._stop_http(), *(server.stop(self._grace_s) for server in self._grpc_servers())
        )
        if self._serving_http is None:
            self._sock.close()
        else:
            await asyncio.gather(self._serving_http, return_exceptions=True)

    async def _stop_http(self) -> None:
        # uvicorn closes sockets at once, whatever they have heard.
        await self.parts.sockets.gone(TOLD_S)
        self._http.stop()


def _bound(address: str) -> socket.socket:
    try:
        return bind(address)
    except (OSError, ValueError, OverflowError) as error:
        raise AddressInUse(
            f"the HTTP address {address} cannot be used ({error}); choose another with --http"
        ) from error


def _changes(uses: Services) -> str:
    """Return the page of metrics about rollouts, operations, the telling of alerts, breakers and healing."""
    changes = change_metrics.render(
        uses.rollouts.active, uses.rollouts.ended, len(uses.operations.all(active_only=True))
    )
    recovery = recovery_metrics.render(
        uses.fleet.view.breaker_states(), uses.healing.effect(), len(uses.healing.open_cases)
    )
    return changes + alert_metrics.render(uses.alerting.numbers()) + recovery
