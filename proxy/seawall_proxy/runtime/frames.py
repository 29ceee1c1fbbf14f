"""What the processes of one proxy say to each other: small frames over a socketpair.

A frame is a length, the version of this format, a kind, a head (JSON, a flat object) and a body (bytes: a
message of seawall.v1, or a list of them). Both ends may be of different releases while an upgrade hands over,
so an unknown kind is skipped and an unknown key of a head ignored; another version of the format ends the
conversation.

    length of the rest (4)  version (1)  kind (1)  length of the head (4)  head  body
"""

from __future__ import annotations

import json
import struct
from enum import IntEnum
from typing import Final, NamedTuple

VERSION: Final = 1
MAX_FRAME_BYTES: Final = 64 << 20
"""Four times the largest policy."""

_START: Final = struct.Struct(">IBBI")
_LENGTH: Final = struct.Struct(">I")
START_BYTES: Final = _START.size
_AFTER_LENGTH: Final = START_BYTES - 4

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
Head = dict[str, Json]


class Kind(IntEnum):
    """What is said. Numbers never change their meaning."""

    # to a worker
    START = 1
    PREPARE = 2
    COMMIT = 3
    ABORT = 4
    SERVE = 5
    COMMAND = 6
    ASK = 7
    EVENTS_KEPT = 8
    DRAIN = 9
    HURRY = 10
    RESTORE = 11
    # from a worker
    HELLO = 20
    ANSWER = 21
    PULSE = 22
    EVENTS = 23
    KEEP = 24
    # both ways
    BREAKER = 30
    EJECTION = 31
    # between generations
    READY = 40
    RELEASED = 41


class FrameError(Exception):
    """Bytes that are no frame of ours; the conversation is over."""


class Frame(NamedTuple):
    """One message."""

    kind: int
    head: Head
    body: bytes = b""

    def number(self, key: str) -> int:
        """Return a whole number of the head; 0 when it is not there."""
        value = self.head.get(key)
        return value if isinstance(value, int) else 0

    def seconds(self, key: str) -> float:
        """Return a number of the head; 0.0 when it is not there."""
        value = self.head.get(key)
        return float(value) if isinstance(value, int | float) else 0.0

    def text(self, key: str) -> str:
        """Return a text of the head; empty when it is not there."""
        value = self.head.get(key)
        return value if isinstance(value, str) else ""

    def texts(self, key: str) -> list[str]:
        """Return a list of texts of the head."""
        value = self.head.get(key)
        return [str(item) for item in value] if isinstance(value, list) else []


def encode(frame: Frame) -> bytes:
    """Return a frame's bytes; raise FrameError when there are too many."""
    head = json.dumps(frame.head, separators=(",", ":")).encode("utf-8")
    length = _AFTER_LENGTH + len(head) + len(frame.body)
    if length > MAX_FRAME_BYTES:
        raise FrameError(f"a frame of {length} bytes; at most {MAX_FRAME_BYTES} are sent")
    return _START.pack(length, VERSION, frame.kind, len(head)) + head + frame.body


def read_start(start: bytes) -> tuple[int, int, int]:
    """Return kind, bytes of the head and bytes of the body from a frame's first `START_BYTES`."""
    length, version, kind, head = _START.unpack(start)
    if version != VERSION:
        raise FrameError(f"version {version} of the frames is not known; {VERSION} is")
    if length > MAX_FRAME_BYTES or head > length - _AFTER_LENGTH:
        raise FrameError(f"a frame of {length} bytes with a head of {head}")
    return kind, head, length - _AFTER_LENGTH - head


def decode(kind: int, rest: bytes, head_bytes: int) -> Frame:
    """Return the frame whose head and body are `rest`."""
    try:
        head = json.loads(rest[:head_bytes])
    except ValueError as error:
        raise FrameError(f"the head is no JSON: {error}") from error
    if not isinstance(head, dict):
        raise FrameError("the head is no object")
    return Frame(kind, head, rest[head_bytes:])


def pack(items: list[bytes]) -> bytes:
    """Return a body that holds several byte strings."""
    parts: list[bytes] = []
    for item in items:
        parts.append(_LENGTH.pack(len(item)))
        parts.append(item)
    return b"".join(parts)


def unpack(body: bytes) -> list[bytes]:
    """Return the byte strings of a body; raise FrameError when it is damaged."""
    items: list[bytes] = []
    at = 0
    while at < len(body):
        if at + 4 > len(body):
            raise FrameError("a list of messages that breaks off")
        (length,) = _LENGTH.unpack_from(body, at)
        at += 4
        if at + length > len(body):
            raise FrameError("a list of messages that breaks off")
        items.append(body[at : at + length])
        at += length
    return items
