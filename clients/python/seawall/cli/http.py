"""A GET against one of our own HTTP endpoints, for probes and checks."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
from typing import Any

from seawall.cli.connecting import credentials


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of `host:port` or `[v6]:port`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)


def get(address: str, path: str, *, timeout_s: float = 2.0) -> tuple[int, str]:
    """Return status and body; raise OSError when there is no answer. `https://host:port` speaks TLS, with the
    authority that --ca-file names and the certificate of --cert and --key.
    """
    secure = address.startswith("https://")
    host, port = split_address(address.removeprefix("https://").removeprefix("http://").rstrip("/"))
    connection: http.client.HTTPConnection
    if secure:
        given = credentials()
        context = ssl.create_default_context(cafile=given.ca_file or None)
        if given.cert_file:
            context.load_cert_chain(given.cert_file, given.key_file or None)
        connection = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", path, headers={"connection": "close"})
        response = connection.getresponse()
        return response.status, response.read(1 << 20).decode("utf-8", "replace")
    except http.client.HTTPException as error:
        raise OSError(f"{address} does not speak HTTP: {error!r}") from error
    finally:
        connection.close()


def parse_object(body: str) -> dict[str, Any]:
    """Return the JSON object in a body, or an empty one."""
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


async def answers(address: str, path: str, *, accept: tuple[int, ...] = (200,)) -> bool:
    """Tell whether a GET is answered with one of the statuses."""
    try:
        status, _ = await asyncio.to_thread(get, address, path, timeout_s=1.0)
    except (OSError, ValueError):
        return False
    return status in accept
