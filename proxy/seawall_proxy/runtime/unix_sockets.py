"""Unix sockets to listen on: made with their permissions, left behind by nobody.

A socket file outlives the process that was killed. It is removed only when nobody listens on it: when a
connection to it is refused. Its permissions are set before it listens, so there is no moment in which others
than the mode allows can connect.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path


def bind_unix(path: str, mode: int) -> socket.socket:
    """Return a socket bound to a path, with these permission bits, listening for nothing yet.

    Raises OSError when something else is there, and EADDRINUSE when somebody listens there.
    """
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.bind(path)
        os.chmod(path, mode)  # noqa: PTH101 - a path of the kernel's, not of ours
    except OSError:
        sock.close()
        raise
    return sock


def file_identity(path: str) -> tuple[int, int]:
    """Return what tells a socket file from a later one of its name; (0, 0) when there is none, and for an
    empty path.
    """
    if not path:
        return (0, 0)
    try:
        found = Path(path).stat()
    except OSError:
        return (0, 0)
    return (found.st_dev, found.st_ino)


def unlink_unix(path: str, identity: tuple[int, int]) -> None:
    """Remove a socket file if it still is the one with this identity."""
    if identity != (0, 0) and file_identity(path) == identity:
        try:
            Path(path).unlink(missing_ok=True)
        except OSError:
            return


def _remove_stale(path: str) -> None:
    try:
        found = Path(path).lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise OSError(errno.EEXIST, "there is a file of that name that is no socket")
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        probe.setblocking(False)
        probe.connect(path)
    except ConnectionRefusedError:
        Path(path).unlink(missing_ok=True)
        return
    except BlockingIOError:
        pass  # its queue is full: somebody listens
    finally:
        probe.close()
    raise OSError(errno.EADDRINUSE, "another process listens there")
