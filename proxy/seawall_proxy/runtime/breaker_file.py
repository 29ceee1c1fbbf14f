"""Breakers on disk: an open one is open again after a restart, for what is left of its time.

One file in the proxy's data directory, written a moment after something has changed and at the end, and read
once at the start; after a crash it is the old one or the new one. It is

    SEAWALL-BREAKERS 1 LF  sha256 of the rest, in hexadecimal LF  images as JSON

A file that is damaged is reported and ignored: every breaker starts closed, as it would without one. With
several workers the process in front of them is the one that writes; what they know of one breaker is kept for
each, and the one that found out for itself is believed before those that follow it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from hashlib import sha256
from pathlib import Path
from typing import Final

from seawall_proxy.durable_files import write_durably
from seawall_proxy.runtime.breaker_images import SIBLING, Image

log = logging.getLogger("seawall.breakers")

MAGIC: Final = b"SEAWALL-BREAKERS 1\n"
FILE: Final = "breakers.json"
DEBOUNCE_S: Final = 0.2
RETRY_S: Final = 30.0
MAX_IMAGES: Final = 10_000
MAX_BYTES: Final = 16 << 20


class BreakerFile:
    """The file. Blocking calls: use a thread."""

    def __init__(self, directory: Path) -> None:
        self.path: Path = directory / FILE

    def save(self, images: list[Image]) -> None:
        """Write the images; raise OSError when the disk does not take them."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        body = json.dumps(images, separators=(",", ":")).encode("ascii")
        write_durably(self.path, MAGIC + sha256(body).hexdigest().encode("ascii") + b"\n" + body)

    def load(self) -> tuple[list[Image], str]:
        """Return the images, and what is wrong with the file; empty when it merely does not exist."""
        try:
            if self.path.stat().st_size > MAX_BYTES:
                return [], f"larger than {MAX_BYTES} bytes"
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return [], ""
        except OSError as error:
            return [], f"cannot be read: {error.strerror}"
        if not raw.startswith(MAGIC):
            return [], "not a file of breakers of a format that this version knows"
        checksum, _, body = raw[len(MAGIC) :].partition(b"\n")
        if checksum != sha256(body).hexdigest().encode("ascii"):
            return [], "damaged: its content does not match its SHA-256"
        images = json.loads(body)
        return [image for image in images if isinstance(image, dict)][:MAX_IMAGES], ""


class BreakerKeeper:
    """Knows what is worth keeping, and has it written."""

    def __init__(self, directory: Path) -> None:
        self.file: BreakerFile = BreakerFile(directory)
        self._images: dict[str, dict[int, Image]] = {}
        self._dirty: asyncio.Event = asyncio.Event()
        self._writing: asyncio.Lock = asyncio.Lock()
        self._mine: bool = True
        self._complained: bool = False

    def note(self, worker: int, key: str, image: Image | None) -> None:
        """Take what a worker says of a breaker; None: there is nothing to keep."""
        known = self._images.get(key)
        if image is None:
            if known is None or known.pop(worker, None) is None:
                return
            if not known:
                del self._images[key]
        elif known is not None:
            known[worker] = image
        elif len(self._images) < MAX_IMAGES:
            self._images[key] = {worker: image}
        self._dirty.set()

    def forget(self, worker: int) -> None:
        """Drop what a worker has said that is gone."""
        for key in list(self._images):
            self.note(worker, key, None)

    def images(self) -> list[Image]:
        """Return one image of each breaker."""
        return [_best(known) for _, known in sorted(self._images.items())]

    async def load(self) -> list[Image]:
        """Return what the process before this one has kept."""
        images, problem = await asyncio.to_thread(self.file.load)
        if problem:
            log.warning("%s: %s; every breaker starts closed", self.file.path, problem)
        return images

    async def run(self) -> None:
        """Write what changes until cancelled."""
        while True:
            await self._dirty.wait()
            await asyncio.sleep(DEBOUNCE_S)
            if not await self.flush():
                await asyncio.sleep(RETRY_S)

    async def flush(self) -> bool:
        """Write now what has not been written; tell whether the disk has it."""
        async with self._writing:
            if not self._dirty.is_set() or not self._mine:
                return True
            self._dirty.clear()
            try:
                await asyncio.to_thread(self.file.save, self.images())
            except OSError as error:
                self._dirty.set()
                if not self._complained:
                    log.warning("breakers cannot be kept in %s: %s", self.file.path, error)
                self._complained = True
                return False
            self._complained = False
            return True

    def release(self) -> None:
        """Leave the file to the process that has taken over."""
        self._mine = False


def _best(known: dict[int, Image]) -> Image:
    """Return the image of the worker that found out for itself, else any."""
    images = [known[worker] for worker in sorted(known)]
    own = [image for image in images if not str(image["trigger"]).startswith(SIBLING)]
    return (own or images)[0]
