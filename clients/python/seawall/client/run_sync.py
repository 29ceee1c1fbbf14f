"""How the client without asyncio sends calls. `run_aio` is its twin, word for word."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from seawall.client import calls, repeating
from seawall.client.calls import Call
from seawall.client.credentials import Credentials
from seawall.errors import DETAILS_KEY, SeawallError, from_status

R = TypeVar("R", bound=Message)


class Run:
    """Sends calls on one channel and turns failures into this library's errors."""

    def __init__(self, target: str, timeout_s: float, credentials: Credentials) -> None:
        self.target = target
        self._timeout_s = timeout_s
        self._metadata = credentials.metadata(target)
        self._options = [*calls.CHANNEL_OPTIONS, *credentials.channel_options()]
        self._secure = credentials.channel_credentials()
        self._channel = self._opened()

    def _opened(self, *more: tuple[str, int]) -> grpc.Channel:
        options = [*self._options, *more]
        if self._secure is None:
            return grpc.insecure_channel(self.target, options=options)
        return grpc.secure_channel(self.target, self._secure, options=options)

    def unary(self, call: Call[R]) -> R:
        """Return the answer to a call; a change whose answer is lost is asked for once more."""
        call = repeating.identified(call)
        timeout_s, began_s = call.timeout_s or self._timeout_s, time.monotonic()
        try:
            return self._send(call, self._channel, timeout_s)
        except grpc.RpcError as error:
            first = self._error(error)
            left_s = repeating.left_s(timeout_s, time.monotonic() - began_s)
            if left_s <= 0 or not repeating.is_lost(call, first):
                raise repeating.told(call, first) from error
        # A connection of its own: what is left of the one that was lost fails calls for a moment more.
        channel = self._opened(("grpc.use_local_subchannel_pool", 1))
        try:
            # The control plane may be starting again just now.
            return self._send(call, channel, left_s, wait_for_ready=True)
        except grpc.RpcError as error:
            raise repeating.unanswered(call, first, self._error(error)) from error
        finally:
            channel.close()

    def _send(
        self, call: Call[R], channel: grpc.Channel, timeout_s: float, *, wait_for_ready: bool = False
    ) -> R:
        send = channel.unary_unary(
            call.method,
            request_serializer=calls.serialize,
            response_deserializer=call.response.FromString,
        )
        answer: R = send(
            call.request, timeout=timeout_s, metadata=self._metadata, wait_for_ready=wait_for_ready
        )
        return answer

    def stream(self, call: Call[R]) -> Iterator[R]:
        """Yield the answers to a call until its time is over."""
        send = self._channel.unary_stream(
            call.method,
            request_serializer=calls.serialize,
            response_deserializer=call.response.FromString,
        )
        timeout_s = call.timeout_s or self._timeout_s
        answers = send(call.request, timeout=timeout_s, metadata=self._metadata)
        try:
            yield from answers
        except grpc.RpcError as error:
            if isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                return  # the time that was asked for is over
            raise self._error(error) from error
        finally:
            answers.cancel()

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def _error(self, error: grpc.RpcError) -> SeawallError:
        if not isinstance(error, grpc.Call):
            return from_status("UNKNOWN", str(error), None, target=self.target)
        details = next((value for key, value in error.trailing_metadata() or () if key == DETAILS_KEY), None)
        raw = details if isinstance(details, bytes) else None
        return from_status(error.code().name, error.details() or "", raw, target=self.target)
