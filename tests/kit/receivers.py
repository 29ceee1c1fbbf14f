"""Where alerts arrive in tests: an HTTP server that does as it is told, and a real SMTP server (aiosmtpd)."""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from typing import Any, Self

from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import AuthResult, Envelope, Session


@dataclass
class Post:
    """A request that came."""

    target: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return its body as JSON."""
        return json.loads(self.body)


@dataclass
class WebReceiver:
    """Answers every POST with `status` and remembers it."""

    status: int = 200
    extra: str = ""
    """Header lines of the answer."""
    silent: bool = False
    """Takes requests and says nothing."""
    flood: bool = False
    """Sends headers without end."""
    posts: list[Post] = field(default_factory=list)
    connections: int = 0
    tls: ssl.SSLContext | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/hook"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.rstrip().split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.posts.append(Post(first.split(" ")[1], headers, body))
            if self.silent:
                await asyncio.sleep(60)
            if self.flood:
                writer.write(b"HTTP/1.1 200 OK\r\n")
                while True:
                    writer.write(b"x-more: " + b"y" * 1000 + b"\r\n")
                    await writer.drain()
            writer.write(f"HTTP/1.1 {self.status} Said\r\n{self.extra}content-length: 2\r\n\r\nok".encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class MailReceiver:
    """A mail server that remembers what it was given."""

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, password: str = ""
    ) -> None:
        self.mails: list[Message] = []
        self.recipients: list[list[str]] = []
        self.refuses = ""
        """What it says to every message instead of taking it."""

        def authenticate(
            _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any
        ) -> AuthResult:
            return AuthResult(success=data.password.decode() == password, handled=False)

        self._controller = UnthreadedController(
            self,
            hostname="127.0.0.1",
            port=0,
            loop=asyncio.get_running_loop(),
            ssl_context=tls,
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=authenticate if password else None,
            auth_required=bool(password),
            auth_require_tls=starttls is not None,
        )

    async def __aenter__(self) -> Self:
        server = await self._controller._create_server()
        assert isinstance(server, asyncio.Server)
        self._server = server
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        """Take a message."""
        if self.refuses:
            return self.refuses
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(BytesParser().parsebytes(content))
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 taken"
