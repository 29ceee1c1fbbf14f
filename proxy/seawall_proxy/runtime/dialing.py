"""Connecting to endpoints."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from seawall_proxy.http2.connection import Connection
from seawall_proxy.runtime.transported import Transported, prepare_socket
from seawall_proxy.upstream.endpoint import Dialer, Link

if TYPE_CHECKING:
    from seawall_proxy.runtime.worker import Worker


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
        prepare_socket(self.transport)
        self.worker.tell_time()
        self.link.opened()
        self.worker.after_batch()


class TcpDialer(Dialer):
    """Connects to endpoints."""

    def __init__(self, worker: Worker) -> None:
        self._worker: Worker = worker
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
        worker = self._worker
        host, port = split_address(address)
        try:
            async with asyncio.timeout(timeout_s):
                await worker.loop.create_connection(lambda: UpstreamProtocol(worker, link), host, port)
        except TimeoutError:
            self._fail(link, f"connecting to {address} took longer than {timeout_s:g} s")
        except (OSError, UnicodeError) as error:
            self._fail(link, f"connecting to {address} failed: {getattr(error, 'strerror', '') or error}")

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


def split_address(address: str) -> tuple[str, int]:
    """Split `host:port`; the host of an IPv6 address stands in brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
