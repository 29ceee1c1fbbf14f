"""TLS contexts that follow their files.

Each second the files are looked at, in a thread, since they may be on a slow disk. A change that has been
still for one look gives a new context; only when it can be made and its certificates are valid does it take
the old one's place, in one assignment. Connections keep the context that they were made with. At a start
there is nothing to keep, so an expired certificate is used all the same, and said loudly: clients that verify
refuse it, and the other listeners serve.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from time import time
from typing import Final

from seawall_policy.transport import ClientTls, ServerTls
from seawall_proxy.runtime.file_watch import Fingerprint, fingerprint
from seawall_proxy.runtime.tls import (
    OwnCertificate,
    TlsContext,
    TlsMistake,
    client_context,
    client_files,
    server_context,
    server_files,
)
from seawall_proxy.telemetry.counters import ProxyCounters

log = logging.getLogger("seawall.tls")

_SOON_S: Final = 7 * 86400.0
_WARN_EVERY_S: Final = 86400.0
_RETRY_S: Final = 10.0
"""How often files that were refused are tried again: permissions and time change without a trace in them."""


class TlsFiles:
    """A context, made again when its files change."""

    def __init__(self, name: str, files: tuple[Path, ...], make: Callable[[], TlsContext]) -> None:
        self.name: str = name
        """Whose context it is, for messages: `listener main`, `cluster shop`."""
        self.mistake: str = ""
        """Why the last change was not taken up; empty when it was."""
        self._files: tuple[Path, ...] = files
        self._make: Callable[[], TlsContext] = make
        # Before the files are read: a change meanwhile is seen later.
        self._known: tuple[Fingerprint | None, ...] = self._look()
        self._seen: tuple[Fingerprint | None, ...] = self._known
        self._made: TlsContext = make()
        self._warned_at: float = 0.0
        self._retry_at: float = 0.0
        self.warn(time())

    @property
    def context(self) -> ssl.SSLContext:
        """The context for new connections."""
        return self._made.context

    @property
    def certificates(self) -> tuple[OwnCertificate, ...]:
        """The certificates in use."""
        return self._made.certificates

    def expiries(self) -> list[tuple[str, str, float]]:
        """Return owner, file and Unix time of expiry of each certificate in use."""
        return [(self.name, own.path, own.certificate.not_after_s) for own in self.certificates]

    def warn(self, now_s: float) -> None:
        """Say once a day which certificates have expired or soon will."""
        if now_s - self._warned_at < _WARN_EVERY_S:
            return
        for own in self.certificates:
            trouble = own.trouble(now_s)
            if trouble:
                self._warned_at = now_s
                log.error("%s: %s", self.name, trouble)
            elif own.certificate.not_after_s - now_s < _SOON_S:
                self._warned_at = now_s
                days = (own.certificate.not_after_s - now_s) / 86400.0
                log.warning("%s: %s expires in %.1f days", self.name, own.path, days)

    def look(self, now_s: float) -> bool | None:
        """Look at the files: True when a new context has been put in place, False when a change was refused,
        None when there was none, or it is still refused for the same reason. For a thread.
        """
        seen = self._look()
        still = seen == self._seen
        self._seen = seen
        again = seen == self._known
        if not still or (again and (not self.mistake or now_s < self._retry_at)):
            return None
        self._known = seen
        self._retry_at = now_s + _RETRY_S
        before = self.mistake if again else ""
        try:
            made = self._make()
        except TlsMistake as mistake:
            self.mistake = str(mistake)
        else:
            self.mistake = "; ".join(filter(None, (own.trouble(now_s) for own in made.certificates)))
            if not self.mistake:
                self._made = made
                self._warned_at = 0.0
                log.info("%s: certificates are reloaded", self.name)
                return True
        if self.mistake == before:
            return None
        log.error("%s: the new certificate is not taken up, the old one stays: %s", self.name, self.mistake)
        return False

    def _look(self) -> tuple[Fingerprint | None, ...]:
        return tuple(fingerprint(path) for path in self._files)


def listener_tls(name: str, tls: ServerTls, folder: Path) -> TlsFiles:
    """Return the context of a listener. Raises TlsMistake."""
    return TlsFiles(f"listener {name}", server_files(tls, folder), partial(server_context, tls, folder))


class ClusterTls:
    """The contexts towards clusters, by their settings."""

    def __init__(self, folder: Path) -> None:
        self.folder: Path = folder
        self._contexts: dict[tuple[str, str, str, bool], TlsFiles] = {}

    def __iter__(self) -> Iterator[TlsFiles]:
        return iter(list(self._contexts.values()))

    def prepare(self, wanted: Iterable[tuple[str, ClientTls]]) -> list[str]:
        """Make the contexts of clusters (name and settings) that are not there yet; return what is wrong, by
        cluster. For a thread; `keep` drops what is not wanted any more.
        """
        mistakes = []
        for name, tls in wanted:
            key = _key(tls)
            if key in self._contexts:
                continue
            try:
                self._contexts[key] = TlsFiles(
                    f"cluster {name}",
                    client_files(tls, self.folder),
                    partial(client_context, tls, self.folder),
                )
            except TlsMistake as mistake:
                mistakes.append(f"clusters[{name}].tls: {mistake}")
        return mistakes

    def keep(self, wanted: Iterable[ClientTls]) -> None:
        """Drop the contexts of all others."""
        keys = {_key(tls) for tls in wanted}
        for key in [key for key in self._contexts if key not in keys]:
            del self._contexts[key]

    def context(self, tls: ClientTls) -> ssl.SSLContext:
        """Return the context for a new connection. Raises TlsMistake when there never was one."""
        found = self._contexts.get(_key(tls))
        if found is not None:
            return found.context
        # An endpoint of a policy that is on its way out.
        return client_context(tls, self.folder).context


def _key(tls: ClientTls) -> tuple[str, str, str, bool]:
    return (tls.ca_file, tls.cert_file, tls.key_file, tls.verify)


async def look_at(files: Iterable[TlsFiles], counters: ProxyCounters) -> None:
    """Look at the files of every context once."""
    every = list(files)
    if not every:
        return
    changes = await asyncio.to_thread(_look_at_all, every, time())
    counters.certificates_reloaded += changes.count(True)
    counters.certificates_refused += changes.count(False)


def _look_at_all(files: list[TlsFiles], now_s: float) -> list[bool | None]:
    changes: list[bool | None] = []
    for each in files:
        try:
            each.warn(now_s)
            changes.append(each.look(now_s))
        except Exception:
            # Whatever it was, the old context serves, and the others are looked at.
            log.exception("%s: looking at its certificates failed", each.name)
    return changes
