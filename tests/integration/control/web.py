"""Asks the control plane over HTTP, with what urllib hides: headers, streams, and requests that are wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.kit.processes import PATIENCE_S


@dataclass(frozen=True)
class Answer:
    """An answer, whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


def head(method: str, path: str, headers: dict[str, str]) -> bytes:
    """Return the head of a request."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


async def read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Return status and headers of an answer."""
    async with asyncio.timeout(PATIENCE_S):
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), headers


async def read_chunk(reader: asyncio.StreamReader) -> bytes:
    """Return the next chunk of a chunked body; empty at its end."""
    async with asyncio.timeout(PATIENCE_S):
        size = int(await reader.readuntil(b"\n"), 16)
        data = await reader.readexactly(size + 2)
    return data[:-2]


async def ask(
    address: str,
    path: str,
    *,
    method: str = "GET",
    body: Any = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """Return the answer to one request; a body that is not bytes is sent as JSON."""
    host, _, port = address.rpartition(":")
    raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    sent = {"host": address, "connection": "close", **(headers or {})}
    if raw is not None:
        sent = {"content-type": "application/json", "content-length": str(len(raw)), **sent}
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(head(method, path, sent) + (raw or b""))
        status, found = await read_head(reader)
        if found.get("transfer-encoding") == "chunked" and method != "HEAD":
            parts = []
            while part := await read_chunk(reader):
                parts.append(part)
            return Answer(status, found, b"".join(parts))
        async with asyncio.timeout(PATIENCE_S):
            return Answer(status, found, await reader.read())
    finally:
        writer.close()


class Stream:
    """An answer that goes on."""

    def __init__(self, reader: asyncio.StreamReader, status: int, headers: dict[str, str]) -> None:
        self._reader = reader
        self._text = b""
        self._is_over = False
        self.status = status
        self.headers = headers

    async def upto(self, end: bytes) -> str:
        """Return what comes up to the next `end`, without it; what remains when the stream is over."""
        while end not in self._text:
            chunk = b"" if self._is_over else await read_chunk(self._reader)
            if not chunk:
                self._is_over = True
                rest, self._text = self._text, b""
                return rest.decode()
            self._text += chunk
        found, _, self._text = self._text.partition(end)
        return found.decode()

    async def line(self) -> Any:
        """Return the next line of NDJSON."""
        return json.loads(await self.upto(b"\n"))

    async def block(self) -> dict[str, str]:
        """Return the next event of a stream of server-sent events, by field."""
        found: dict[str, str] = {}
        for line in (await self.upto(b"\n\n")).splitlines():
            name, _, value = line.partition(": ") if not line.startswith(":") else ("", "", line[1:].strip())
            found[name] = value
        return found

    async def event(self) -> dict[str, str]:
        """Return the next event that has data."""
        while "data" not in (found := await self.block()):
            assert found, "the stream is over"
        return found


@asynccontextmanager
async def streaming(
    address: str, path: str, *, method: str = "GET", body: Any = None, headers: dict[str, str] | None = None
) -> AsyncIterator[Stream]:
    """Open a stream, and leave it in the end."""
    host, _, port = address.rpartition(":")
    sent = {"host": address, **(headers or {})}
    raw = b"" if body is None else json.dumps(body).encode()
    if body is not None:
        sent = {"content-type": "application/json", "content-length": str(len(raw)), **sent}
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(head(method, path, sent) + raw)
        status, found = await read_head(reader)
        yield Stream(reader, status, found)
    finally:
        writer.close()
