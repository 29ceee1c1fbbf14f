"""Where a process listens: reading `host:port`, and saying why a start fails."""

from __future__ import annotations

from seawall_proxy.runtime.dialing import split_address


class StartFailed(Exception):
    """The proxy cannot start; the message says why and what to do."""


def place_to_listen(address: str) -> tuple[str, int]:
    """Split `host:port`; raise StartFailed when it is none. An empty host would mean every interface: that
    has to be said.
    """
    try:
        host, port = split_address(address)
    except ValueError:
        host, port = "", 0
    if not host or not 0 <= port <= 65535:
        raise StartFailed(
            f"cannot listen on {address!r}: write host:port, such as 127.0.0.1:8080 or 0.0.0.0:8080"
        )
    return host, port


def shown(name: object) -> str:
    """Return the address of a socket, as getsockname() gives it, in the words of a policy file."""
    if isinstance(name, tuple):
        host, port = name[0], name[1]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    path = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
    return f"unix://{path}"
