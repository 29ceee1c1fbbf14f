"""One listener of the policy file: what is spoken on its sockets, and who its connections come from.

A listener does not bind. It is handed sockets that are bound (by this process, by the one before it, by a
parent of several workers) and serves each until the server that it returned is closed. A plain TCP listener
is the event loop's own server; what comes before HTTP/2 elsewhere is `accepting`'s.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from seawall_policy.transport import HANDSHAKE_LIMIT_S, ListenerSpec
from seawall_proxy.runtime.accepting import Accepting
from seawall_proxy.runtime.admission import Admission, client_of
from seawall_proxy.runtime.age import Age
from seawall_proxy.runtime.downstream import DownstreamProtocol
from seawall_proxy.runtime.peer import Network, identity, networks, shown_address, split_address
from seawall_proxy.runtime.tls import ALPN, TlsMistake
from seawall_proxy.runtime.tls_files import TlsFiles, listener_tls

if TYPE_CHECKING:
    from seawall_proxy.runtime.worker import Worker

BACKLOG: Final = 1024


class Serving(Protocol):
    """A socket that is being served; asyncio.Server is one."""

    def close(self) -> None:
        """Stop accepting and close the socket; connections live on."""


class Listener:
    """See the module."""

    def __init__(
        self, worker: Worker, spec: ListenerSpec, folder: Path, admission: Admission | None = None
    ) -> None:
        """Read the files that TLS names, relative to `folder`. Raises TlsMistake."""
        self.worker: Worker = worker
        self.spec: ListenerSpec = spec
        self.tls: TlsFiles | None = None
        """The holder of the context; None: plaintext."""
        if spec.tls is not None:
            try:
                self.tls = listener_tls(spec.name, spec.tls, folder)
            except TlsMistake as mistake:
                raise TlsMistake(f"listeners[{spec.name}].tls: {mistake}") from mistake
        self.handshake_timeout_s: float = (
            HANDSHAKE_LIMIT_S if spec.tls is None else spec.tls.handshake_timeout_s
        )
        self.trusted: tuple[Network, ...] = networks(spec.proxy_header.trusted if spec.proxy_header else ())
        self.admission: Admission = Admission(spec.limits) if admission is None else admission
        self.pending: int = 0
        """Connections before their first HTTP/2 byte."""

    async def serve(self, sock: socket.socket) -> Serving:
        """Accept the connections of a bound socket, which is closed with what is returned."""
        if sock.family == socket.AF_UNIX or self.tls is not None or self.spec.proxy_header is not None:
            sock.listen(BACKLOG)
            return Accepting(self, sock)
        return await self.worker.loop.create_server(self.protocol, sock=sock, backlog=BACKLOG)

    @property
    def full(self) -> bool:
        """Whether there is no room for another connection, so that a handshake would be for nothing."""
        return self.admission.open >= self.admission.limits.max_connections

    def protocol(self, claimed: str = "") -> DownstreamProtocol:
        """Return the protocol of a new connection; `claimed` is the client's address by a PROXY header."""
        if self.worker.on_accept is not None:
            self.worker.on_accept()
        protocol = DownstreamProtocol(self.worker, self.admission, self)
        protocol.peer_address = claimed
        return protocol

    def greet(self, protocol: DownstreamProtocol, transport: asyncio.BaseTransport) -> bool:
        """Learn who has connected; tell whether HTTP/2 may be spoken with them."""
        if self.tls is not None:
            session = transport.get_extra_info("ssl_object")
            if session is None or session.selected_alpn_protocol() != ALPN:
                self.refused("no h2 by ALPN")
                return False
            if self.spec.tls is not None and self.spec.tls.client_ca_file:
                protocol.peer_identity = identity(session.getpeercert())
        if protocol.peer_address:
            protocol.client = client_of(split_address(protocol.peer_address))
        else:
            name = transport.get_extra_info("peername")
            protocol.client = client_of(name)
            protocol.peer_address = shown_address(name)
        lifetime = self.spec.lifetime
        protocol.idle_limit_s = lifetime.idle_timeout_s
        if lifetime.ages:
            context = self.worker.context
            protocol.age = Age(lifetime, context.now, context.draw())
        return True

    def refused(self, reason: str) -> None:
        """Count a connection that ended before HTTP/2."""
        self.worker.counters.prologue_failed(reason)
