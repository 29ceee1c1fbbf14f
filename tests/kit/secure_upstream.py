"""The upstream of `tests.kit.upstream` under TLS, or on a Unix socket.

Run as `python -m tests.kit.secure_upstream ADDRESS NAME [CERT KEY [CLIENT_CA]]`; ADDRESS is `127.0.0.1:0` or
`unix:///path`; prints the port, 1 for a Unix socket. With CLIENT_CA a client has to show a certificate; every
answer then carries its common name as the trailing metadata `client-name`.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import grpc

from tests.kit.upstream import Upstream


class Named(Upstream):
    """Says whose certificate it has seen."""

    async def _prepare(self, context: Any) -> dict[str, Any]:
        asked = await super()._prepare(context)
        names = context.auth_context().get("x509_common_name", [])
        if names:
            context.set_trailing_metadata((("served-by", self._name), ("client-name", names[0].decode())))
        return asked


def read(file: str) -> bytes:
    """Return a file's contents."""
    return Path(file).read_bytes()


async def serve(address: str, name: str, *files: str) -> None:
    """Serve until killed."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers((Named(name),))
    target = address.replace("unix://", "unix:")
    if files:
        cert, key, *authorities = map(read, files)
        authority = authorities[0] if authorities else None
        credentials = grpc.ssl_server_credentials(
            [(key, cert)], root_certificates=authority, require_client_auth=authority is not None
        )
        bound = server.add_secure_port(target, credentials)
    else:
        bound = server.add_insecure_port(target)
    await server.start()
    print(bound, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
