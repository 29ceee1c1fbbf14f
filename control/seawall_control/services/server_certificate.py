"""The control plane's own certificate, issued by its own authority and renewed in time, as two files."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from seawall_control.services.authorities import Authorities
from seawall_control.services.authority import SERVER_DAYS, begin_us, expiry_us, is_issued_by, utc
from seawall_control.services.durable_files import write_private
from seawall_control.services.edge import Clock

LOOK_EVERY_S: Final = 60.0
RENEW_BEFORE_US: Final = int(timedelta(days=SERVER_DAYS / 2).total_seconds() * 1e6)

_log = logging.getLogger("seawall.control.tls")


def default_names(*addresses: str) -> tuple[str, ...]:
    """Return what this machine is called, and the addresses that are listened on."""
    hosts = [address.rpartition(":")[0].strip("[]") for address in addresses]
    bound = [host for host in hosts if host not in {"", "0.0.0.0", "::"}]  # noqa: S104 (not bound here)
    return tuple(dict.fromkeys(["localhost", "127.0.0.1", "::1", socket.gethostname(), *bound]))


class ServerCertificate:
    """Keeps `server.pem` and `server.key` in a folder."""

    def __init__(self, authorities: Authorities, folder: Path, names: Sequence[str], clock: Clock) -> None:
        self._authorities = authorities
        self._names = names
        self._clock = clock
        self.cert = folder / "server.pem"
        self.key = folder / "server.key"

    def issue(self) -> None:
        """Write a new pair: the key first, so that a reader between the two sees that they do not fit."""
        issued, key = self._authorities.serving.issue_server(self._names, now=utc(self._clock.now_us()))
        write_private(self.key, key)
        write_private(self.cert, issued.pem.encode(), mode=0o644)

    def is_due(self) -> bool:
        """Tell whether half of the certificate's time has passed, its authority is no longer the serving one,
        it cannot be read, or it begins later: it was issued while this machine's clock was ahead.
        """
        try:
            pem = self.cert.read_bytes()
            if not is_issued_by(pem, self._authorities.serving.pem.encode()):
                return True
            now_us = self._clock.now_us()
            return begin_us(pem) > now_us or expiry_us(pem) - now_us < RENEW_BEFORE_US
        except (OSError, ValueError):
            return True

    def follow(self) -> None:
        """Issue a new pair if it is due. For a thread."""
        if self.is_due():
            self.issue()

    async def run(self) -> None:
        """Renew in time, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await asyncio.to_thread(self.follow)
            except OSError as error:
                _log.error("the control plane's certificate cannot be renewed: %s", error)
