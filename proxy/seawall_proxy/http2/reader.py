"""Cut a byte stream into frames (RFC 9113 section 4.1) without an object for each.

Bytes are parsed in place with an offset. A frame that is not complete yet is kept as the chunks in which it
came and joined once all of it is there, so a peer that drips single bytes costs linear, not quadratic, time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from seawall_proxy.http2.errors import FRAME_SIZE_ERROR, PROTOCOL_ERROR, ConnectionFault
from seawall_proxy.http2.frames import (
    CONTINUATION,
    DATA,
    FLAG_ACK,
    HEADERS,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
)
from seawall_proxy.http2.opening import wrong_opening

if TYPE_CHECKING:
    from seawall_proxy.http2.control import ControlFrames
    from seawall_proxy.http2.messages import MessageFrames

HEADER_BYTES: Final = 9

_ANY: Final = 0
_FIRST_SETTINGS: Final = 1
_CONTINUATION: Final = 2
_UNLIMITED: Final = 1 << 60


class FrameReader:
    """Feed the frames of one connection to the two objects that take them."""

    def __init__(
        self,
        messages: MessageFrames,
        control: ControlFrames,
        *,
        max_frame_bytes: int,
        expect_preface: bool,
        frames_per_turn: int,
    ) -> None:
        self._messages: MessageFrames = messages
        self._control: ControlFrames = control
        self._stopped: bool = False
        self._max_frame_bytes: int = max_frame_bytes
        self._chunks: list[bytes] = []
        self._have: int = 0
        self._need: int = 0
        self._expect_preface: bool = expect_preface
        self._state: int = _FIRST_SETTINGS
        self._continued_id: int = 0
        self.frames: int = 0
        self._frames_per_turn: int = frames_per_turn if frames_per_turn > 0 else _UNLIMITED
        self.more: bool = False
        """Whole frames are left for the next turn."""

    def expect_continuation(self, stream_id: int) -> None:
        """Accept nothing but CONTINUATION frames of this stream; 0 ends that."""
        self._continued_id = stream_id
        self._state = _CONTINUATION if stream_id else _ANY

    def is_waiting(self) -> bool:
        """Whether a frame other than DATA has begun and is not complete."""
        chunks = self._chunks
        if not chunks or self.more:
            return False
        head = chunks[0]
        return len(head) < HEADER_BYTES or head[3] != DATA

    def held_bytes(self) -> int:
        """Return the bytes of input that wait for the rest of their frame, or for the next turn."""
        return self._have if self._chunks else 0

    def stop(self) -> None:
        """Parse no further, not even what was already fed."""
        self._stopped = True
        self.more = False
        self._chunks.clear()

    def feed(self, data: bytes) -> None:
        """Parse bytes as they came; raises ConnectionFault on a framing error."""
        self.more = False
        if self._chunks:
            self._chunks.append(data)
            self._have += len(data)
            if self._have < self._need:
                return
            data = b"".join(self._chunks)
            self._chunks.clear()
        pos = 0
        if self._expect_preface:
            pos = self._read_preface(data)
            if pos == 0:
                return
        pos = self._read_frames(data, pos)
        if pos < len(data) and not self._stopped:
            self._keep(data[pos:] if pos else data)

    def _keep(self, rest: bytes) -> None:
        self._chunks.append(rest)
        self._have = len(rest)
        if self._expect_preface:
            # Looked at octet by octet, so that a short request in another protocol is answered at once.
            self._need = self._have + 1
        elif self._have < HEADER_BYTES:
            self._need = HEADER_BYTES
        else:
            self._need = HEADER_BYTES + (rest[0] << 16 | rest[1] << 8 | rest[2])

    def _read_preface(self, data: bytes) -> int:
        """Return the position behind the client's preface, or 0 while it is not complete."""
        if data[: len(PREFACE)] != PREFACE[: len(data)]:
            fault = wrong_opening(data)
            if fault is not None:
                raise fault
            self._keep(data)
            return 0
        if len(data) < len(PREFACE):
            self._keep(data)
            return 0
        self._expect_preface = False
        self._control.preface_read()
        return len(PREFACE)

    def _read_frames(self, data: bytes, pos: int) -> int:
        messages = self._messages
        control = self._control
        end = len(data)
        last = self.frames + self._frames_per_turn
        while end - pos >= HEADER_BYTES:
            length = data[pos] << 16 | data[pos + 1] << 8 | data[pos + 2]
            kind = data[pos + 3]
            flags = data[pos + 4]
            if length > self._max_frame_bytes:
                raise ConnectionFault(
                    FRAME_SIZE_ERROR, "frame is larger than the announced maximum", "max_frame"
                )
            stream_id = (
                (data[pos + 5] & 0x7F) << 24 | data[pos + 6] << 16 | data[pos + 7] << 8 | data[pos + 8]
            )
            if self._state != _ANY:
                self._check_order(kind, flags, stream_id)
            start = pos + HEADER_BYTES
            if end - start < length:
                return pos
            if self.frames >= last:
                self.more = True
                return pos
            pos = start + length
            self.frames += 1
            if kind == DATA:
                messages.data_frame(data, start, length, flags, stream_id)
            elif kind == HEADERS:
                messages.headers_frame(data, start, length, flags, stream_id)
            elif kind == WINDOW_UPDATE:
                control.window_update_frame(data, start, length, stream_id)
            elif kind == RST_STREAM:
                control.rst_stream_frame(data, start, length, stream_id)
            elif kind == CONTINUATION:
                messages.continuation_frame(data, start, length, flags, stream_id)
            else:
                if self._state == _FIRST_SETTINGS:
                    self._state = _ANY
                control.other_frame(kind, data, start, length, flags, stream_id)
            if self._stopped:
                return end
        return pos

    def _check_order(self, kind: int, flags: int, stream_id: int) -> None:
        if self._state == _FIRST_SETTINGS:
            if kind != SETTINGS or flags & FLAG_ACK:
                raise ConnectionFault(PROTOCOL_ERROR, "first frame is not SETTINGS")
        elif kind != CONTINUATION or stream_id != self._continued_id:
            raise ConnectionFault(PROTOCOL_ERROR, "header block is interrupted by another frame")
