"""One POST to a guarded address, in bounded time and memory: no redirects, no proxy of the environment, no
cookies, no keep-alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from typing import Final

import h11

from seawall_control.services.alerting.channels.addresses import WEB_PORTS, Guard, Url, parse_url
from seawall_control.services.alerting.channels.port import NotSent

MAX_ANSWER_BYTES: Final = 64 * 1024
CONNECT_S: Final = 3.0
LATER: Final = frozenset({408, 409, 425, 429})
"""Refusals that another attempt may overcome; so may every 5xx."""


class Poster:
    """Posts to guarded addresses."""

    def __init__(self, guard: Guard, tls: ssl.SSLContext) -> None:
        self._guard = guard
        self._tls = tls

    async def post(self, address: str, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Return when the answer is 2xx. Raise `NotSent`; the answer's body is read and dropped."""
        url = parse_url(address)
        found = await self._guard.addresses(url.host, url.port, ports=WEB_PORTS, is_tls=url.is_tls)
        reader, writer = await self._connected(url, found)
        try:
            status = await self._exchange(url, headers, body, reader, writer)
        except (OSError, h11.RemoteProtocolError, ssl.SSLError) as error:
            raise NotSent(f"the connection to {url.host} broke ({type(error).__name__})") from None
        finally:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
                writer.transport.abort()
        if 200 <= status < 300:
            return
        if 300 <= status < 400:
            raise NotSent(f"{url.host} answered {status}; redirects are not followed", final=True)
        raise NotSent(f"{url.host} answered {status}", final=400 <= status < 500 and status not in LATER)

    async def _connected(
        self, url: Url, addresses: Sequence[str]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        why = ""
        for address in addresses[:4]:
            try:
                async with asyncio.timeout(CONNECT_S):
                    reader, writer = await asyncio.open_connection(
                        address,
                        url.port,
                        ssl=self._tls if url.is_tls else None,
                        server_hostname=url.host if url.is_tls else None,
                        limit=MAX_ANSWER_BYTES,
                    )
            except ssl.SSLCertVerificationError as error:
                why = f"its certificate is not valid: {error.verify_message}"
            except (OSError, ssl.SSLError) as error:
                why = "it did not answer in time" if isinstance(error, TimeoutError) else type(error).__name__
            else:
                own, peer = writer.get_extra_info("sockname"), writer.get_extra_info("peername")
                if not own or not peer:
                    # It has gone again: a socket without a connection has no names.
                    writer.transport.abort()
                    why = "it closed the connection at once"
                    continue
                try:
                    self._guard.check_peer(str(own[0]), str(peer[0]))
                except BaseException:
                    writer.transport.abort()
                    raise
                return reader, writer
        raise NotSent(f"{url.host} cannot be reached ({why})")

    async def _exchange(
        self,
        url: Url,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> int:
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=16 * 1024)
        sent = [
            ("host", url.authority),
            ("content-length", str(len(body))),
            ("connection", "close"),
            *headers,
        ]
        request = h11.Request(method="POST", target=url.target, headers=sent)
        out = [connection.send(request), connection.send(h11.Data(data=body))]
        writer.write(b"".join(part or b"" for part in out))
        await writer.drain()
        read = 0
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                data = await reader.read(16 * 1024)
                read += len(data)
                if read > MAX_ANSWER_BYTES:
                    raise NotSent(f"{url.host} answered with more than {MAX_ANSWER_BYTES} bytes", final=True)
                connection.receive_data(data)
            elif isinstance(event, h11.Response):
                # The status is all that matters: whether the rest comes is the other side's business.
                return int(event.status_code)
            elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                raise NotSent(f"{url.host} closed the connection without an answer")
