"""Telling the service manager how we are: the datagrams of sd_notify(3), for a unit of `Type=notify`.

Without NOTIFY_SOCKET in the environment nothing is said. A manager that cannot be reached is no reason to
serve worse, so failures are ignored.
"""

from __future__ import annotations

import os
import socket
from time import CLOCK_MONOTONIC, clock_gettime_ns


def notify(*lines: str) -> bool:
    """Send `NAME=value` lines; tell whether somebody was there to take them."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.setblocking(False)
            # "@" stands for the abstract name space.
            sock.connect("\0" + address[1:] if address[0] == "@" else address)
            sock.send("\n".join(lines).encode("utf-8"))
    except OSError:
        return False
    return True


def reloading() -> str:
    """Return the two lines that say that a reload begins; `READY=1` says that it is over."""
    return f"RELOADING=1\nMONOTONIC_USEC={clock_gettime_ns(CLOCK_MONOTONIC) // 1000}"
