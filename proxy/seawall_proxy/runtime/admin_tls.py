"""TLS of the admin HTTP: one pair of files, followed like those of listeners."""

from __future__ import annotations

import asyncio
import ssl
from functools import partial
from pathlib import Path
from time import time
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy.transport import HANDSHAKE_LIMIT_S, ServerCertificate, ServerTls
from seawall_proxy.runtime.tls import server_context, server_files
from seawall_proxy.runtime.tls_files import TlsFiles

LOOK_EVERY_S: Final = 1.0
ALPN: Final = "http/1.1"


class AdminTls:
    """The context of the admin HTTP. Raises TlsMistake when it cannot be made at the start."""

    def __init__(self, wanted: policy_pb2.AdminTls, folder: Path) -> None:
        certificate = ServerCertificate(wanted.cert_file, wanted.key_file, ())
        tls = ServerTls((certificate,), wanted.client_ca_file, HANDSHAKE_LIMIT_S)
        make = partial(server_context, tls, folder, ALPN)
        self.files: TlsFiles = TlsFiles("admin", server_files(tls, folder), make)
        # The server keeps this one; each connection gets the certificate that is the newest then.
        self.context: ssl.SSLContext = make().context
        self.context.sni_callback = self._newest

    def _newest(
        self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, context: ssl.SSLContext
    ) -> None:
        connection.context = self.files.context

    async def run(self) -> None:
        """Follow the files until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await asyncio.to_thread(self._look)

    def _look(self) -> None:
        now_s = time()
        self.files.warn(now_s)
        self.files.look(now_s)


def admin_tls(admin: policy_pb2.Admin, folder: Path) -> AdminTls | None:
    """Return the TLS of a policy file's admin section; None for plaintext. Raises TlsMistake."""
    return AdminTls(admin.tls, folder) if admin.HasField("tls") else None
