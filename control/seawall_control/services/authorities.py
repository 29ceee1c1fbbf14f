"""The authority, and the one that is to follow it.

A rotation has three steps. `prepare` makes the next authority beside the serving one, and both are trusted.
`begin` lets certificates of proxies be issued by the next one as they are renewed; with them proxies learn to
trust both, while the control plane still shows a certificate of the serving one, which is what those know
that have not renewed yet. `finish` makes the next one the serving one: the control plane's own certificate is
issued anew, and the old authority is trusted no more. Between any two steps proxies of either kind connect.

All of it is files in a folder, which control planes of one store share or copy; each looks at its folder
every two seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from threading import RLock
from typing import Final

from seawall_control.domain.errors import PreconditionFailed
from seawall_control.services.authority import Authority, AuthorityUnusable, utc
from seawall_control.services.durable_files import write_private
from seawall_control.services.edge import Clock

LOOK_EVERY_S: Final = 2.0
SERVING: Final = "authority"
NEXT: Final = "next"
BEGUN: Final = "next.begun"
TRUSTED: Final = "trusted.pem"
_FILES: Final = ("authority.pem", "authority.key", "next.pem", "next.key", BEGUN)

_log = logging.getLogger("seawall.control.tls")


class Authorities:
    """The authorities of a folder. Raise `AuthorityUnusable`."""

    def __init__(self, folder: Path, now: datetime) -> None:
        self.folder = folder
        self.serving: Authority
        """Issues the control plane's own certificate, and the first one of a proxy."""
        self.next: Authority | None = None
        self.has_begun = False
        """Whether proxies get certificates of the next one when they renew."""
        self._stamp: tuple[tuple[int, int] | None, ...] = ()
        self._changing = RLock()
        with self._changing:
            self._load(now, may_make=True)

    @property
    def renewing(self) -> Authority:
        """Issues the certificates with which proxies renew."""
        return self.next if self.next is not None and self.has_begun else self.serving

    @property
    def trusted(self) -> list[Authority]:
        """Those whose certificates are accepted, the serving one first."""
        return [self.serving, *([self.next] if self.next is not None else [])]

    @property
    def trusted_pem(self) -> str:
        """Their certificates, in PEM."""
        return "".join(authority.pem for authority in self.trusted)

    def load(self, now: datetime) -> None:
        """Read the folder again, and write down who is trusted."""
        with self._changing:
            self._load(now, may_make=False)

    def _load(self, now: datetime, *, may_make: bool) -> None:
        self._complete()
        # While this process runs there is one. Were its files gone, as when somebody moves the folder, a new
        # one would shut every proxy out.
        self.serving = Authority.open(self.folder, now, name=SERVING, may_make=may_make)
        there = (self.folder / f"{NEXT}.pem").exists()
        self.next = Authority.open(self.folder, now, name=NEXT) if there else None
        self.has_begun = self.next is not None and (self.folder / BEGUN).exists()
        trusted = self.trusted_pem.encode()
        path = self.folder / TRUSTED
        if not path.exists() or path.read_bytes() != trusted:
            write_private(path, trusted, mode=0o644)
        self._stamp = self._look()

    def prepare(self, now: datetime) -> None:
        """Make the next authority. Raise `PreconditionFailed` when there is one."""
        if self.next is not None:
            raise PreconditionFailed("another authority is prepared already; begin with it, or finish")
        # Of an attempt that was cut off before there was a certificate.
        (self.folder / f"{NEXT}.key").unlink(missing_ok=True)
        Authority.open(self.folder, now, name=NEXT)
        self.load(now)

    def begin(self, now: datetime) -> None:
        """Issue certificates of the next authority to proxies that renew. Raise `PreconditionFailed`."""
        if self.has_begun:
            raise PreconditionFailed(
                "a rotation is under way; `seawall authority status` shows who is missing, and "
                "`seawall authority finish` ends it"
            )
        if self.next is None:
            self.prepare(now)
        write_private(self.folder / BEGUN, b"")
        self.load(now)

    def finish(self, now: datetime) -> None:
        """Trust and use the next authority alone. Raise `PreconditionFailed`."""
        if self.next is None or not self.has_begun:
            raise PreconditionFailed("no rotation of the authority is under way")
        # The key first: from then on `_complete` goes on with this after a crash.
        with self._changing:
            key, pem = ((self.folder / f"{NEXT}.{kind}").read_bytes() for kind in ("key", "pem"))
            write_private(self.folder / f"{SERVING}.key", key)
            write_private(self.folder / f"{SERVING}.pem", pem, mode=0o644)
            self.load(now)

    def _complete(self) -> None:
        """Go on with a `finish` that a crash has left half done."""
        next_key, next_pem = (self.folder / f"{NEXT}.{kind}" for kind in ("key", "pem"))
        try:
            same = (self.folder / f"{SERVING}.key").read_bytes() == next_key.read_bytes()
        except OSError:
            return
        if same:
            if next_pem.exists():
                write_private(self.folder / f"{SERVING}.pem", next_pem.read_bytes(), mode=0o644)
            for path in (self.folder / BEGUN, next_pem, next_key):
                path.unlink(missing_ok=True)

    def _look(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(_stamp(self.folder / name) for name in _FILES)

    def look(self, now: datetime) -> bool:
        """Read the folder again if it has changed; tell whether. For a thread."""
        if self._look() == self._stamp:
            return False
        self.load(now)
        return True

    async def run(self, clock: Clock, changed: Callable[[], None]) -> None:
        """Follow the folder until cancelled; `changed` is called in a thread after each change."""
        said = ""

        def look() -> None:
            if self.look(utc(clock.now_us())):
                changed()

        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await asyncio.to_thread(look)
                said = ""
            except (AuthorityUnusable, OSError) as error:
                # Copied file by file, perhaps; what was there before stays in use.
                if str(error) != said:
                    _log.error("the authority's folder cannot be taken up: %s", error)
                said = str(error)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
