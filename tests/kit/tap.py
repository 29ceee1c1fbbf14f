"""Reads along on the wire between a proxy and its control plane: HTTP/2 in the clear, gRPC, and what is said.

A witness needs no more of HTTP/2 than its frames: the link opens one stream a connection, so every DATA frame
towards the control plane carries `ConnectRequest` messages, and every one back `ConnectResponse`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from seawall.v1 import fleet_pb2
from tests.kit.history.lines import Recorder

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA: Final = 0
_PADDED: Final = 0x8


class MessageReader:
    """The messages of one direction of a connection, out of its bytes."""

    def __init__(self, *, has_preface: bool) -> None:
        self._skip = len(_PREFACE) if has_preface else 0
        self._bytes = bytearray()
        self._streams: dict[int, bytearray] = {}

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the messages that are complete with these bytes."""
        self._bytes += data
        if self._skip:
            if len(self._bytes) < self._skip:
                return
            del self._bytes[: self._skip]
            self._skip = 0
        while len(self._bytes) >= 9:
            length = int.from_bytes(self._bytes[:3], "big")
            if len(self._bytes) < 9 + length:
                return
            kind, flags = self._bytes[3], self._bytes[4]
            stream = int.from_bytes(self._bytes[5:9], "big") & 0x7FFFFFFF
            payload = bytes(self._bytes[9 : 9 + length])
            del self._bytes[: 9 + length]
            if kind != _DATA:
                continue
            if flags & _PADDED:
                payload = payload[1 : len(payload) - payload[0]]
            yield from self._messages(stream, payload)

    def _messages(self, stream: int, payload: bytes) -> Iterator[bytes]:
        waiting = self._streams.setdefault(stream, bytearray())
        waiting += payload
        while len(waiting) >= 5:
            length = int.from_bytes(waiting[1:5], "big")
            if len(waiting) < 5 + length:
                return
            message = bytes(waiting[5 : 5 + length])
            del waiting[: 5 + length]
            yield message


class Tap:
    """One connection: notes what each side says, as far as a history needs it."""

    def __init__(self, note: Recorder, applied: dict[str, int]) -> None:
        self._note = note
        self._applied = applied
        self._up = MessageReader(has_preface=True)
        self._down = MessageReader(has_preface=False)
        self._node = ""
        self._pushes: dict[int, fleet_pb2.PolicyPush] = {}

    def up(self, data: bytes) -> None:
        """Take bytes on their way to the control plane."""
        for raw in self._up.feed(data):
            self._said(fleet_pb2.ConnectRequest.FromString(raw))

    def down(self, data: bytes) -> int:
        """Take bytes on their way to the proxy; return how many acknowledgements are in them."""
        acks = 0
        for raw in self._down.feed(data):
            message = fleet_pb2.ConnectResponse.FromString(raw)
            acks += message.WhichOneof("kind") == "event_ack"
            self._heard(message)
        return acks

    def _said(self, message: fleet_pb2.ConnectRequest) -> None:
        match message.WhichOneof("kind"):
            case "hello":
                hello = message.hello
                self._node = hello.node
                self._note(
                    "hello",
                    node=hello.node,
                    boot=hello.boot_id,
                    revision=hello.applied_revision,
                    hash=hello.applied_hash,
                    source=hello.policy_source,
                )
            case "events":
                batch = message.events
                self._note(
                    "sent",
                    node=self._node,
                    spool=batch.spool_id,
                    events=[[one.seq, one.event.id, one.event.job_id] for one in batch.events],
                    gaps=[[gap.from_seq, gap.to_seq, gap.reason] for gap in batch.gaps],
                )
            case "policy_result":
                result = message.policy_result
                push = self._pushes.get(result.nonce)
                self._applied[self._node] = result.applied_revision
                self._note(
                    "answered",
                    node=self._node,
                    accepted=result.verdict == fleet_pb2.POLICY_VERDICT_ACK,
                    revision=result.revision,
                    hash="" if push is None else push.hash,
                    applied=result.applied_revision,
                )

    def _heard(self, message: fleet_pb2.ConnectResponse) -> None:
        match message.WhichOneof("kind"):
            case "policy":
                self._pushes[message.policy.nonce] = message.policy
                self._note(
                    "pushed", node=self._node, revision=message.policy.revision, hash=message.policy.hash
                )
            case "event_ack":
                ack = message.event_ack
                self._note(
                    "acked",
                    node=self._node,
                    spool=ack.spool_id,
                    through=ack.through_seq,
                    refused=[refusal.seq for refusal in ack.refusals],
                )
