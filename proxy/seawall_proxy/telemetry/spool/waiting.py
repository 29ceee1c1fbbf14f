"""How many records wait to be numbered, kept where a `kill -9` of the process does not reach.

A record has no number until the spool gives it one, so what is lost on the way there would be missed by
nobody. The count is in a page of a file that is mapped into memory: setting it costs no system call, and the
kernel keeps the page when the process is gone. It is never synced: after a crash of the machine it says
nothing, which the identity of the kernel's boot in the file tells.

A process that is killed between giving numbers and saying so counts those twice, at most one batch.
"""

from __future__ import annotations

import mmap
import os
from errno import ENOSPC
from pathlib import Path
from struct import Struct
from typing import Final

MAGIC: Final = b"SWWAIT01"
BYTES: Final = 4096
MAX_BELIEVED: Final = 1_000_000
"""More than any ring holds and could have dropped between two looks: such a count is damage."""

_STATE: Final = Struct("<8s16sQ")


class WaitingMark:
    """The file, open; `WaitingMark.open` makes one. One thread at a time sets it."""

    def __init__(self, page: mmap.mmap, boot: bytes) -> None:
        self._page: mmap.mmap = page
        self._boot: bytes = boot

    @classmethod
    def open(cls, path: Path, boot: bytes) -> tuple[WaitingMark, int]:
        """Open or create the file; return it, and how many records a killed process has left behind.

        `boot` is the digest of the kernel's boot identity, zeros when unknown: then nothing is believed.
        Raises OSError.
        """
        fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            # Written, not only lengthened: a page without room on the disk ends who touches it (SIGBUS).
            if os.fstat(fd).st_size < BYTES and os.pwrite(fd, bytes(BYTES), 0) < BYTES:
                raise OSError(ENOSPC, f"there is no room for {path}")
            page = mmap.mmap(fd, BYTES)
        except ValueError as error:
            raise OSError(f"{path} cannot be mapped: {error}") from error
        finally:
            os.close(fd)
        magic, told_boot, count = _STATE.unpack_from(page)
        is_ours = magic == MAGIC and told_boot == boot and any(boot)
        return cls(page, boot), count if is_ours and count <= MAX_BELIEVED else 0

    def set(self, count: int) -> None:
        """Say how many records wait."""
        _STATE.pack_into(self._page, 0, MAGIC, self._boot, count)

    def close(self) -> None:
        """Let go of the file; what it says stays."""
        self._page.close()
