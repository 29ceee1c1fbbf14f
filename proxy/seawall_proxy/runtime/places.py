"""Where a process listens and what it is called: reading addresses and names, saying why a start fails."""

from __future__ import annotations

from seawall_policy.names import NODE_RULE, is_node_name
from seawall_policy.suggest import quoted
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


def node_named(given: str, host: str) -> str:
    """Return the node's name: what was given, else the host's. Raise StartFailed when it is none."""
    if is_node_name(given or host):
        return given or host
    if given:
        raise StartFailed(
            f"the node cannot be named {quoted(given)}, which would be the name of its folder too: use "
            f"{NODE_RULE} (--node, or control.node in the policy file)"
        )
    raise StartFailed(
        f"the host name {quoted(host)} cannot be the node's name; give it one with --node, or control.node "
        f"in the policy file: {NODE_RULE}"
    )


def shown(name: object) -> str:
    """Return the address of a socket, as getsockname() gives it, in the words of a policy file."""
    if isinstance(name, tuple):
        host, port = name[0], name[1]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    path = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
    return f"unix://{path}"
