"""The grpcio client: see the package."""

from __future__ import annotations

import json
import sys
import threading
from time import perf_counter

import grpc

MESSAGE = b"x" * 100


def varying_fields(number: int) -> tuple[tuple[str, str], ...]:
    """Return the metadata of one call."""
    return (
        ("traceparent", f"00-4bf92f3577b34da6a3ce929d{number:08x}-00f067aa{number:08x}-01"),
        ("x-request-id", f"7f1c2f6e-0b1d-4b7e-9f7d-{number:012x}"),
        ("authorization", "Bearer 0123456789abcdef0123456789abcdef"),
    )


def drive(channel: grpc.Channel, calls: int, in_flight: int, varying: bool) -> int:
    """Make so many calls, so many at once; return how many failed."""
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/bench.v1.Echo/Unary")
    room = threading.Semaphore(in_flight)
    failed = 0

    def ended(future: grpc.Future[bytes]) -> None:
        nonlocal failed
        if future.code() != grpc.StatusCode.OK:  # type: ignore[attr-defined]
            failed += 1
        room.release()

    for number in range(calls):
        room.acquire()
        metadata = varying_fields(number) if varying else None
        call.future(MESSAGE, timeout=9, metadata=metadata).add_done_callback(ended)
    for _ in range(in_flight):
        room.acquire()
    return failed


def main() -> None:
    """Run the load."""
    target, calls, in_flight, varying = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "1"
    with grpc.insecure_channel(target) as channel:
        drive(channel, 200, in_flight, varying)
        print("begin", flush=True)
        sys.stdin.readline()
        began = perf_counter()
        errors = drive(channel, calls, in_flight, varying)
        seconds = perf_counter() - began
        print(json.dumps({"calls": calls, "errors": errors, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
