"""The one table from errors to statuses, for gRPC and HTTP alike, and how they look on the wire (AIP-193).

Every error carries `google.rpc.Status` in `grpc-status-details-bin` with `ErrorInfo{reason, domain:
"seawall"}`; bad input adds `BadRequest` with every violation, and where waiting helps `RetryInfo` and
`grpc-retry-pushback-ms`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Iterator
from typing import Any, Final, NoReturn, TypeVar

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from seawall_control.domain import errors as e

DOMAIN: Final = "seawall"
DETAILS_KEY: Final = "grpc-status-details-bin"

T = TypeVar("T")
Context = grpc.aio.ServicerContext[Any, Any]

_log = logging.getLogger("seawall.control.api")

TABLE: Final[tuple[tuple[type[e.ControlError], grpc.StatusCode, int], ...]] = (
    (e.InvalidRequest, grpc.StatusCode.INVALID_ARGUMENT, 400),
    (e.Unauthenticated, grpc.StatusCode.UNAUTHENTICATED, 401),
    (e.PermissionDenied, grpc.StatusCode.PERMISSION_DENIED, 403),
    (e.RateLimited, grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
    (e.NotFound, grpc.StatusCode.NOT_FOUND, 404),
    (e.PositionLost, grpc.StatusCode.OUT_OF_RANGE, 410),
    (e.AlreadyExists, grpc.StatusCode.ALREADY_EXISTS, 409),
    (e.EtagMismatch, grpc.StatusCode.ABORTED, 412),
    (e.PreconditionFailed, grpc.StatusCode.FAILED_PRECONDITION, 409),
    (e.StoreFull, grpc.StatusCode.RESOURCE_EXHAUSTED, 507),
    (e.StoreUnavailable, grpc.StatusCode.UNAVAILABLE, 503),
    (e.StoreBusy, grpc.StatusCode.RESOURCE_EXHAUSTED, 503),
    (e.ShuttingDown, grpc.StatusCode.UNAVAILABLE, 503),
    (e.RequestRunning, grpc.StatusCode.ABORTED, 409),
    (e.Superseded, grpc.StatusCode.ABORTED, 409),
    (e.HelloMissing, grpc.StatusCode.INVALID_ARGUMENT, 400),
    (e.TooManyStreams, grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
    (e.DeadlineExceeded, grpc.StatusCode.DEADLINE_EXCEEDED, 504),
)
"""The first class that fits decides; what fits none is our bug."""


def _row(error: BaseException) -> tuple[grpc.StatusCode, int]:
    for kind, code, http in TABLE:
        if isinstance(error, kind):
            return code, http
    return grpc.StatusCode.INTERNAL, 500


_HTTP: Final[dict[grpc.StatusCode, int]] = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNKNOWN: 500,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DATA_LOSS: 500,
}
"""The mapping of google/rpc/code.proto, for what comes with a code and without a reason of ours."""


def _kinds(root: type[e.ControlError]) -> Iterator[type[e.ControlError]]:
    yield root
    for kind in root.__subclasses__():
        yield from _kinds(kind)


def http_status_of(code: grpc.StatusCode, reason: str) -> int:
    """Return the HTTP status of an error that is known by its gRPC code and its reason."""
    for kind in _kinds(e.ControlError):
        if kind.reason == reason:
            for row, row_code, http in TABLE:
                if issubclass(kind, row) and row_code is code:
                    return http
    return _HTTP[code]


def http_status(error: BaseException) -> int:
    """Return the HTTP status of an error."""
    return _row(error)[1]


def status_name(http: int) -> str:
    """Return the name of the gRPC status that goes with an HTTP status of ours; `UNKNOWN` for another."""
    return next((code.name for _, code, status in TABLE if status == http), "UNKNOWN")


def message_of(error: BaseException) -> str:
    """Return what a caller is told: never the inside of a bug."""
    return (
        str(error)
        if isinstance(error, e.ControlError)
        else "internal error; the control plane's log says more"
    )


def reason_of(error: BaseException) -> str:
    """Return the stable reason of an error."""
    return error.reason if isinstance(error, e.ControlError) else "INTERNAL"


class Aborted(Exception):
    """The servicer has ended the call; `status` says how."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status = status

    @property
    def reason(self) -> str:
        """Reason of the ErrorInfo; empty without one."""
        info = error_details_pb2.ErrorInfo()
        for detail in self.status.details:
            if detail.Is(info.DESCRIPTOR) and detail.Unpack(info):
                return str(info.reason)
        return ""


def outcome_of(error: BaseException | None) -> tuple[str, str]:
    """Return the name of the status and the reason with which an error is answered; `OK` without one."""
    if error is None:
        return "OK", ""
    if isinstance(error, Aborted):
        name = next((c.name for c in grpc.StatusCode if c.value[0] == error.status.code), "UNKNOWN")
        return name, error.reason
    return _row(error)[0].name, reason_of(error)


def _details(error: BaseException) -> list[Message]:
    metadata = {}
    if isinstance(error, e.EtagMismatch):
        metadata = {"expected": error.expected, "actual": error.actual}
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=reason_of(error), domain=DOMAIN, metadata=metadata)
    ]
    if isinstance(error, e.InvalidRequest) and error.problems:
        details.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(
                        field=p.field, description=p.message, reason=p.code
                    )
                    for p in error.problems
                ]
            )
        )
    wait_s = retry_after_s(error)
    if wait_s:
        delay = Duration()
        delay.FromNanoseconds(int(wait_s * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return details


def retry_after_s(error: BaseException) -> float:
    """Return how long to wait before another try; 0 when waiting does not help."""
    return float(getattr(error, "retry_after_s", 0.0))


def status_of(error: BaseException) -> status_pb2.Status:
    """Return an error as google.rpc.Status, with its details."""
    status = status_pb2.Status(code=_row(error)[0].value[0], message=message_of(error))
    for detail in _details(error):
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def to_status(error: BaseException) -> tuple[grpc.StatusCode, str, tuple[tuple[str, str | bytes], ...]]:
    """Return the code, the message and the trailing metadata of an error."""
    code, _ = _row(error)
    message = message_of(error)
    trailers: list[tuple[str, str | bytes]] = [(DETAILS_KEY, status_of(error).SerializeToString())]
    wait_s = retry_after_s(error)
    if wait_s:
        trailers.append(("grpc-retry-pushback-ms", str(int(wait_s * 1000))))
    return code, message, tuple(trailers)


async def abort(context: Context, error: BaseException) -> NoReturn:
    """End a call with an error."""
    if not isinstance(error, e.ControlError):
        _log.error("a request failed by our fault", exc_info=error)
    code, message, trailers = to_status(error)
    await context.abort(code, message, trailers)
    raise AssertionError("abort does not return")


async def answered(context: Context, work: Awaitable[T]) -> T:
    """Return what a use case gives, or end the call with its error."""
    try:
        return await work
    except Exception as error:  # noqa: BLE001 - the table decides, and what is not in it is INTERNAL
        await abort(context, error)
