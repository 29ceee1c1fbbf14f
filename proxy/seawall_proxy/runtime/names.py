"""Names are looked up by the operating system, so hosts files and search domains apply, each in a thread.

Theory: a name server that is away takes the system's resolver ten seconds and more to give up, and nobody can
call that off. An event loop has few threads for it (uvloop two, for all that it runs), so that two such names
would hold up every other one, every connection to a name, and the end of the process. Here many are asked at
once, who asks for the same name meanwhile gets the same answer, so that a dead name never has more than one
thread, and whoever ends the process does not wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import deque
from typing import Final

from seawall_proxy.runtime.connecting import Info

MOST: Final = 32
"""Names at once; further ones wait."""


class _Question:
    """A name that is being looked up, or is about to be."""

    def __init__(self, loop: asyncio.AbstractEventLoop, host: str, port: int) -> None:
        self.host: str = host
        self.port: int = port
        self.answer: asyncio.Future[list[Info]] = loop.create_future()
        self._loop: asyncio.AbstractEventLoop = loop

    def ask(self) -> None:
        """Look it up, in a thread."""
        found: list[Info] = []
        failure: OSError | UnicodeError | None = None
        try:
            found = list(socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            failure = error
        # The loop may have ended.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._told, found, failure)

    def _told(self, found: list[Info], failure: OSError | UnicodeError | None) -> None:
        if failure is None:
            self.answer.set_result(found)
        else:
            self.answer.set_exception(failure)
            self.answer.exception()  # whoever asked may have gone


class Names:
    """The names that this process is looking up."""

    def __init__(self, most: int = MOST) -> None:
        """Look up at most so many at once."""
        self._most: int = most
        self._asked: dict[tuple[asyncio.AbstractEventLoop, str, int], _Question] = {}
        self._waiting: deque[_Question] = deque()
        self._threads: int = 0
        self._turn: threading.Lock = threading.Lock()

    async def look_up(self, host: str, port: int) -> list[Info]:
        """Return the addresses of a host. Raise OSError or UnicodeError."""
        with contextlib.suppress(socket.gaierror):
            # An address is its own answer: nobody is asked.
            flags = socket.AI_NUMERICHOST
            return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags))
        loop = asyncio.get_running_loop()
        key = (loop, host, port)
        question = self._asked.get(key)
        if question is None:
            question = self._asked[key] = _Question(loop, host, port)
            question.answer.add_done_callback(lambda _: self._asked.pop(key))
            self._put(question)
        # Whoever gives up must not take the answer from the others.
        return await asyncio.shield(question.answer)

    def _put(self, question: _Question) -> None:
        with self._turn:
            if self._threads >= self._most:
                self._waiting.append(question)
                return
            self._threads += 1
        threading.Thread(target=self._work, args=(question,), name="seawall-names", daemon=True).start()

    def _work(self, question: _Question) -> None:
        while True:
            question.ask()
            with self._turn:
                if not self._waiting:
                    self._threads -= 1
                    return
                question = self._waiting.popleft()


NAMES: Final = Names()
