"""The clocks, dice and ids that use cases ask for, so that tests can decide them."""

from __future__ import annotations

import os
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """What time it is."""

    def now_us(self) -> int:
        """Return the wall clock in microseconds since the epoch, UTC."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        ...


class Ids(Protocol):
    """Makes identities."""

    def new(self) -> str:
        """Return a new UUID in lower case."""
        ...


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The clocks of this machine."""

    def now_us(self) -> int:
        """See `Clock.now_us`."""
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        """See `Clock.monotonic_s`."""
        return time.monotonic()


@dataclass(frozen=True, slots=True)
class TimeOrderedIds:
    """UUIDs of version 7 (RFC 9562): new rows lie beside each other in the index of ids."""

    def new(self) -> str:
        """See `Ids.new`."""
        raw = bytearray((time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(10))
        raw[6] = 0x70 | raw[6] & 0x0F
        raw[8] = 0x80 | raw[8] & 0x3F
        return str(uuid.UUID(bytes=bytes(raw)))


def dice() -> Callable[[], float]:
    """Return a source of numbers of [0, 1), for samples and jitter; nothing about it is secret."""
    return random.Random().random


_NAMESPACE = uuid.UUID("6f0c8f0a-6a0e-5d0e-9c39-7e5f1b7c2d11")


def derived_id(*parts: str) -> str:
    """Return the same UUID for the same parts: what may be reported twice is stored once."""
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(parts)))
