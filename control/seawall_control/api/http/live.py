"""Events as they come: server-sent events that can be taken up again, and a WebSocket.

    GET /api/v1/errors/stream   ?filter= &backlog= and the plain conditions; Last-Event-ID or ?last_event_id=
    WS  /api/v1/errors/ws       ?filter= &backlog= and the plain conditions

The stream goes by the order in which events were stored (services/feed.py): its ids are positions in that
order, also those without an event that come with each sign of life, and a reader that comes back with the
last one is given everything that was stored in between. The WebSocket is for those who only look: it is live,
a slow reader is told how many events it was too slow for, and there is nothing to take up.

Messages of both are the same: {"type": "error", "id", "skipped", "error": {…}}.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from contextlib import aclosing
from functools import partial
from typing import Final

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from seawall_control.api.event_json import event_json, iso
from seawall_control.api.http.access import calls
from seawall_control.api.http.answers import error_response, guarded
from seawall_control.api.http.events import FILTERS, filter_of
from seawall_control.api.http.parts import HttpParts
from seawall_control.api.http.reading import only_known, whole
from seawall_control.api.http.streaming import HEARTBEAT_S, Emit, Streaming
from seawall_control.domain import filters
from seawall_control.domain.errors import ControlError, InvalidRequest
from seawall_control.domain.events import Event, Json
from seawall_control.domain.filters import Node
from seawall_control.domain.positions import Position, parse_position
from seawall_control.services.events import MAX_BACKLOG

RETRY_MS: Final = 2000
"""How long a browser waits before it comes back."""
STALL_S: Final = 60.0
"""How long a WebSocket may take nothing."""
_RPC: Final = "/seawall.v1.EventService/TailEvents"
_SSE: Final = "text/event-stream"
_SERVICE_RESTART: Final = 1012
_INTERNAL: Final = 1011


def message_of(event: Event, skipped: int = 0) -> dict[str, Json]:
    """Return an event as both streams send it."""
    return {"type": "error", "id": event.id, "skipped": skipped, "error": event_json(event)}


def _text(content: Mapping[str, Json]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _backlog(query: QueryParams) -> int:
    return whole(query, "backlog", most=MAX_BACKLOG)


class Live:
    """The endpoints."""

    def __init__(self, parts: HttpParts) -> None:
        self._parts = parts

    def routes(self) -> list[BaseRoute]:
        """Return the table of routes."""
        return [
            Route("/api/v1/errors/stream", calls(_RPC, guarded(self.stream))),
            Route("/api/v1/errors/ws", calls(_RPC, guarded(self.no_socket))),
            WebSocketRoute("/api/v1/errors/ws", calls(_RPC, partial(self.socket))),
        ]

    async def no_socket(self, request: Request) -> Response:
        """Say that this path wants a WebSocket, with 426 as RFC 9110 has it."""
        raise HTTPException(
            426,
            "this path is a WebSocket: ask for it with `upgrade: websocket`; the same events over plain HTTP "
            "are at /api/v1/errors/stream",
            headers={"upgrade": "websocket", "connection": "upgrade"},
        )

    async def stream(self, request: Request) -> Response:
        """Answer with events as they are stored, from a position on."""
        query = request.query_params
        only_known(query, "filter", *FILTERS, "backlog", "last_event_id")
        filter_text = filter_of(query)
        wanted = filters.parse(filter_text)
        said = request.headers.get("last-event-id", "") or query.get("last_event_id", "")
        after = parse_position(said) if said else None
        if said and after is None:
            raise InvalidRequest(
                f"Last-Event-ID {said[:64]!r} is none of this stream's; leave it out to follow from now on"
            )
        if request.method == "HEAD":
            return Response(media_type=_SSE)
        backlog = _backlog(query) if after is None else 0
        return _Stream(self._parts, wanted, filter_text, after, backlog).answer()

    async def socket(self, socket: WebSocket) -> None:
        """Send events as they are stored until either side ends."""
        query = socket.query_params
        try:
            only_known(query, "filter", *FILTERS, "backlog")
            filter_text, backlog = filter_of(query), _backlog(query)
            filters.parse(filter_text)
        except ControlError as error:
            await socket.send_denial_response(error_response(error))
            return
        await socket.accept()
        with self._parts.sockets.one():
            await self._follow(socket, filter_text, backlog)

    async def _follow(self, socket: WebSocket, filter_text: str, backlog: int) -> None:
        loop = asyncio.get_running_loop()
        sending = loop.create_task(self._send(socket, filter_text, backlog))
        leaving = loop.create_task(_left(socket))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send(self, socket: WebSocket, filter_text: str, backlog: int) -> None:
        code: int | None = _INTERNAL
        try:
            async with aclosing(self._parts.events.tail(filter_text=filter_text, backlog=backlog)) as events:
                waiting = asyncio.ensure_future(anext(events))
                try:
                    while True:
                        await asyncio.wait({waiting}, timeout=HEARTBEAT_S)
                        if not waiting.done():
                            now = iso(self._parts.clock.now_us())
                            await _say(socket, {"type": "heartbeat", "time": now})
                            continue
                        event, skipped = waiting.result()
                        waiting = asyncio.ensure_future(anext(events))
                        await _say(socket, message_of(event, skipped))
                finally:
                    waiting.cancel()
                    await asyncio.gather(waiting, return_exceptions=True)
        except asyncio.CancelledError:
            # The peer has gone, or its credential has ended, of which whoever cancels tells it.
            code = None
            raise
        except (WebSocketDisconnect, TimeoutError):
            return
        except ControlError as error:
            code = _SERVICE_RESTART
            await _say(socket, {"type": "end", **json.loads(bytes(error_response(error).body))})
        finally:
            if code is not None:
                with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
                    async with asyncio.timeout(1.0):
                        await socket.close(code)


async def _say(socket: WebSocket, content: Mapping[str, Json]) -> None:
    async with asyncio.timeout(STALL_S):
        await socket.send_text(_text(content))


async def _left(socket: WebSocket) -> None:
    """Return when the peer has gone. What it says is let pass: the address says what it wants."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


class _Stream:
    """One answer of server-sent events."""

    def __init__(
        self, parts: HttpParts, wanted: Node, filter_text: str, after: Position | None, backlog: int
    ) -> None:
        self._parts = parts
        self._wanted = wanted
        self._filter_text = filter_text
        self._after = after
        self._backlog = backlog
        self._position = after

    def answer(self) -> Streaming:
        """Return it."""
        return Streaming(
            self._produce,
            media_type=_SSE,
            failed=error_response,
            last_words=lambda error: _block("end", "", bytes(error_response(error).body).decode()),
            heartbeat=self._still_here,
            heartbeat_s=HEARTBEAT_S,
        )

    def _still_here(self) -> bytes:
        return f"id: {self._position}\n: still here\n\n".encode()

    async def _produce(self, emit: Emit) -> None:
        steps = self._parts.feed.follow(self._wanted, after=self._after)
        async with aclosing(steps):
            shown = await self._begin(emit, (await anext(steps)).position)
            async for step in steps:
                self._position = step.position
                if step.lost is not None:
                    text = bytes(error_response(step.lost).body).decode()
                    await emit(_block("reset", str(step.position), text))
                new = [(at, event) for at, event in step.events if event.id not in shown]
                if new:
                    await emit(b"".join(_block("", str(at), _text(message_of(event))) for at, event in new))

    async def _begin(self, emit: Emit, position: Position) -> set[str]:
        """Send where the reader stands, and what it wants of the past; return which events those were."""
        self._position = position
        newest: list[Event] = []
        if self._backlog:
            newest = await self._parts.events.newest(self._filter_text, self._backlog)
        head = f"retry: {RETRY_MS}\nid: {position}\n\n".encode()
        await emit(head + b"".join(_block("", "", _text(message_of(event))) for event in newest))
        return {event.id for event in newest}


def _block(name: str, position: str, data: str) -> bytes:
    lines = [f"event: {name}"] if name else []
    lines += [f"id: {position}"] if position else []
    return "\n".join([*lines, f"data: {data}", "", ""]).encode()
