"""Connecting to endpoints: TCP or a Unix socket, in the clear or under TLS.

A host name is resolved at each connection attempt and its addresses are tried overlapping (connecting.py).
Under TLS the endpoint has to prove its name and to choose HTTP/2 by ALPN; all of it, name look-up included,
shares the cluster's `connect_timeout`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from seawall_policy.transport import ClientTls, unix_path
from seawall_proxy.http2.connection import Connection
from seawall_proxy.runtime.connecting import open_socket
from seawall_proxy.runtime.names import NAMES
from seawall_proxy.runtime.tls import ALPN, TlsMistake
from seawall_proxy.runtime.tls_files import ClusterTls
from seawall_proxy.runtime.transported import Transported, prepare_socket
from seawall_proxy.upstream.link import Dialer, Link

if TYPE_CHECKING:
    from seawall_proxy.runtime.worker import Worker

log = logging.getLogger("seawall.proxy")

_UNIX_NAME: Final = "localhost"
"""The name that a certificate behind a Unix socket is for unless the policy says otherwise, as in gRPC."""
_SHUTDOWN_S: Final = 1.0


class UpstreamProtocol(Transported):
    """An endpoint's connection."""

    def __init__(self, worker: Worker, link: Link) -> None:
        self.worker = worker
        self.transport = None
        self.link = link
        connection = link.connection
        assert connection is not None
        self.connection = connection
        connection.owner = self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self.link.closed:
            self.transport.abort()
            return
        self.worker.tell_time()
        session = transport.get_extra_info("ssl_object")
        if session is not None and session.selected_alpn_protocol() != ALPN:
            self.transport.abort()
            self.link.failed(f"{self.link.endpoint.address} does not offer HTTP/2 (ALPN h2)")
            self.worker.after_batch()
            return
        prepare_socket(self.transport)
        self.link.opened()
        self.worker.after_batch()

    def connection_lost(self, exc: Exception | None) -> None:
        link = self.link
        if link.endpoint.tls is not None and not link.ready and not link.closed:
            # With TLS 1.3 a server that wants another certificate says so only now, or says nothing.
            self.worker.tell_time()
            link.failed(_early_end(link.endpoint.address, exc))
        super().connection_lost(exc)
        trips = self.connection.guard.trips
        if trips is not None:
            self.worker.counters.limits_tripped(trips, client=False)


class TcpDialer(Dialer):
    """Connects to endpoints."""

    def __init__(self, worker: Worker) -> None:
        self._worker: Worker = worker
        self.tls: ClusterTls = ClusterTls(Path())
        """The contexts of the clusters."""
        self._tasks: dict[Link, asyncio.Task[None]] = {}

    def make_connection(self, link: Link) -> Connection:
        worker = self._worker
        return Connection(
            is_client=True, limits=worker.client_limits, handler=link, cache=worker.cache, dirty=worker.dirty
        )

    def dial(self, link: Link, address: str, timeout_s: float) -> None:
        task = self._worker.loop.create_task(self._connect(link, address, timeout_s))
        self._tasks[link] = task
        task.add_done_callback(lambda _: self._tasks.pop(link, None))

    async def _connect(self, link: Link, address: str, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._open(link, address, timeout_s)
        except TimeoutError:
            self._fail(link, f"connecting to {address} took longer than {timeout_s:g} s")
        except ssl.SSLError as error:
            self._fail(link, _tls_failure(address, error))
        except TlsMistake as mistake:
            self._fail(link, str(mistake))
        except (OSError, UnicodeError) as error:
            self._fail(link, f"connecting to {address} failed: {getattr(error, 'strerror', '') or error}")
        except Exception as error:
            # Nobody else would tell the link why: it would only hear that the time is over.
            log.exception("connecting to %s has met a mistake of the proxy's", address)
            self._fail(link, f"connecting to {address} failed: {type(error).__name__}: {error}")

    async def _open(self, link: Link, address: str, timeout_s: float) -> None:
        worker = self._worker
        loop = worker.loop
        tls = link.endpoint.tls

        def protocol() -> UpstreamProtocol:
            return UpstreamProtocol(worker, link)

        path = unix_path(address)
        host, port = (_UNIX_NAME, 0) if path else split_address(address)
        if tls is None:
            if path:
                await loop.create_unix_connection(protocol, path)
            elif is_literal(host):
                await loop.create_connection(protocol, host, port)
            else:
                sock = await open_socket(loop, host, port, NAMES.look_up)
                await loop.create_connection(protocol, sock=sock)
            return
        context = self.tls.context(tls)
        name = _expected_name(tls, host)
        if path:
            await loop.create_unix_connection(
                protocol,
                path,
                ssl=context,
                server_hostname=name,
                ssl_handshake_timeout=timeout_s,
                ssl_shutdown_timeout=_SHUTDOWN_S,
            )
        else:
            await loop.create_connection(
                protocol,
                sock=await open_socket(loop, host, port, NAMES.look_up),
                ssl=context,
                server_hostname=name,
                ssl_handshake_timeout=timeout_s,
                ssl_shutdown_timeout=_SHUTDOWN_S,
            )

    def _fail(self, link: Link, reason: str) -> None:
        self._worker.tell_time()
        link.failed(reason)
        self._worker.after_batch()

    def hang_up(self, link: Link) -> None:
        task = self._tasks.pop(link, None)
        if task is not None and not task.done():
            task.cancel()
        connection = link.connection
        if connection is not None and not connection.closed:
            connection.terminate(0, "given up")


def _expected_name(tls: ClientTls, host: str) -> str:
    """Return the name that the certificate has to be for."""
    return tls.server_name or host.removesuffix(".")


def _tls_failure(address: str, error: ssl.SSLError) -> str:
    """Return why there is no TLS connection, and what to look at."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"connecting to {address} failed: its certificate is not accepted: {error.verify_message}; "
            "look at tls.ca_file and tls.server_name"
        )
    reason = (error.reason or "TLS error").lower().replace("_", " ")
    if "ALERT" in (error.reason or "") and "CERTIFICATE" in (error.reason or ""):
        return (
            f"connecting to {address} failed: it does not accept our certificate ({reason}); "
            "look at tls.cert_file"
        )
    return f"connecting to {address} failed in the TLS handshake: {reason}"


def _early_end(address: str, error: Exception | None) -> str:
    """Return why a connection has ended after the TLS handshake and before it was of use."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return _tls_failure(address, error)
    return (
        f"{address} closed the connection after the TLS handshake; "
        "if it verifies its clients, look at tls.cert_file"
    )


def is_literal(host: str) -> bool:
    """Tell whether a host is an address rather than a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def split_address(address: str) -> tuple[str, int]:
    """Split `host:port`; the host of an IPv6 address stands in brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
