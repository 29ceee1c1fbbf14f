"""gRPC calls with plain bytes, typed."""

from __future__ import annotations

from typing import Any

import grpc


def unary_unary(channel: grpc.aio.Channel, path: str) -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
    """Return a unary method."""
    return channel.unary_unary(path)


def unary_stream(channel: grpc.aio.Channel, path: str) -> grpc.aio.UnaryStreamMultiCallable[bytes, bytes]:
    """Return a server-streaming method."""
    return channel.unary_stream(path)


def stream_unary(channel: grpc.aio.Channel, path: str) -> grpc.aio.StreamUnaryMultiCallable[Any, Any]:
    """Return a client-streaming method."""
    return channel.stream_unary(path)


def stream_stream(channel: grpc.aio.Channel, path: str) -> grpc.aio.StreamStreamMultiCallable[Any, Any]:
    """Return a bidirectional method."""
    return channel.stream_stream(path)


async def trailing(call: Any) -> dict[str, Any]:
    """Return a call's trailing metadata; of keys that come twice, the last value."""
    return dict(await call.trailing_metadata())


def trailing_of(error: grpc.aio.AioRpcError) -> dict[str, Any]:
    """Return the trailing metadata of a failed call."""
    return dict(error.trailing_metadata() or ())
