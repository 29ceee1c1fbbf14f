"""Failures as HTTP answers: one shape, one table."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import grpc
from google.protobuf import json_format
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route

from seawall_control.api import request_id
from seawall_control.api.caller import current
from seawall_control.api.errors import DOMAIN, Aborted, http_status, http_status_of, reason_of, status_of
from seawall_control.domain.errors import ControlError, ShuttingDown
from seawall_control.domain.events import Json

_log = logging.getLogger("seawall.control.http")

_TOO_LATE: Final = "Task cancelled, timeout graceful shutdown exceeded"
"""With these words uvicorn cancels what has not ended in the time that a stop gives it."""
CLIENT_GONE: Final = 499
"""nginx's number for a caller that has left; it is never sent."""

Endpoint = Callable[[Request], Awaitable[Response]]


_CODES: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    405: grpc.StatusCode.UNIMPLEMENTED,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
"""Codes of what only HTTP refuses; any other 4xx is INVALID_ARGUMENT."""
_CODE_NAMES: Final = {code.value[0]: code for code in grpc.StatusCode}


def failure(status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return an answer for what HTTP itself refuses."""
    default = grpc.StatusCode.INVALID_ARGUMENT if status < 500 else grpc.StatusCode.INTERNAL
    said = status_pb2.Status(code=_CODES.get(status, default).value[0], message=message)
    packed = AnyMessage()
    packed.Pack(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN))
    said.details.append(packed)
    return _response(said, status, reason, headers)


def status_response(status: status_pb2.Status, reason: str) -> JSONResponse:
    """Return the answer for a status that a servicer has ended its call with."""
    code = _CODE_NAMES.get(status.code, grpc.StatusCode.UNKNOWN)
    return _response(status, http_status_of(code, reason), reason or code.name)


def error_response(error: BaseException) -> JSONResponse:
    """Return the answer for an error."""
    if not isinstance(error, ControlError):
        _log.error(
            "a request failed by our fault",
            exc_info=error,
            extra={"fields": {"request_id": request_id.CURRENT.get()}},
        )
    return _response(status_of(error), http_status(error), reason_of(error))


def _response(
    status: status_pb2.Status, http: int, reason: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return a status in the form of AIP-193 (https://google.aip.dev/193), with its reason and its violations
    where they are easy to find.
    """
    violations: list[dict[str, Json]] = []
    details: list[Json] = []
    wait_s = 0
    for detail in status.details:
        bad, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if detail.Unpack(bad):
            violations += [
                {"field": v.field, "message": v.description, "code": v.reason} for v in bad.field_violations
            ]
        elif detail.Unpack(retry):
            wait_s = max(1, int(retry.retry_delay.seconds))
        try:
            details.append(json_format.MessageToDict(detail, preserving_proto_field_name=True))
        except (TypeError, ValueError):
            # A detail of a kind that this process does not know has no form in JSON.
            details.append({"@type": detail.type_url})
    code = _CODE_NAMES.get(status.code, grpc.StatusCode.UNKNOWN)
    call = current()
    if call is not None:
        call.failure = (code.name, reason)
    response = JSONResponse(
        {
            "error": {
                "code": http,
                "status": code.name,
                "reason": reason,
                "message": status.message,
                "violations": violations,
                "details": details,
            }
        },
        http,
        headers,
    )
    if wait_s:
        response.headers["retry-after"] = str(wait_s)
    return response


def json_answer(request: Request, content: Mapping[str, Json], status: int = 200) -> Response:
    """Return JSON; a reader that has it already (`if-none-match`) is told so instead."""
    return tagged(request, json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(), status)


def tagged(request: Request, body: bytes, status: int = 200) -> Response:
    """Return JSON that is encoded, with a tag of what it says where it was asked for by GET."""
    if request.method not in ("GET", "HEAD") or status != 200:
        return Response(body, status, media_type="application/json")
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"etag": tag, "cache-control": "private, no-cache"}
    known = request.headers.get("if-none-match", "")
    if known == "*" or tag in (part.strip().removeprefix("W/") for part in known.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def guarded(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint with its errors answered by the table."""

    @functools.wraps(endpoint)
    async def call(request: Request) -> Response:
        try:
            return await endpoint(request)
        except HTTPException:
            raise
        except ClientDisconnect:
            # Nobody reads this; it is no fault of ours either.
            return Response(status_code=CLIENT_GONE)
        except asyncio.CancelledError as cancelled:
            if cancelled.args != (_TOO_LATE,):
                raise
            return error_response(ShuttingDown("the control plane is stopping; ask again in a moment"))
        except Aborted as error:
            return status_response(error.status, error.reason)
        except Exception as error:  # noqa: BLE001 - the table decides
            return error_response(error)

    return call


def allowed(request: Request) -> str:
    """Return the methods that the path of a request takes, as the Allow header has them."""
    found = {"OPTIONS"}
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return ", ".join(sorted(found))


async def http_failure(request: Request, error: Exception) -> Response:
    """Answer what no endpoint has answered."""
    if not isinstance(error, HTTPException):
        return failure(500, "INTERNAL", "internal error; the control plane's log says more")
    if error.status_code == 405:
        headers = {"allow": (error.headers or {}).get("allow", "") or allowed(request)}
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
        detail = str(error.detail) if error.detail != "Method Not Allowed" else f"use {headers['allow']}"
        return failure(405, "HTTP_ERROR", detail, headers)
    if error.status_code == 404:
        return failure(
            404,
            "NOT_FOUND",
            "no such page; there are /health, /ready, /metrics, /status, /api/v1/errors, and every RPC at "
            "/api/v1/{package.Service}/{Method}; /api/v1/openapi.json describes them",
        )
    return failure(error.status_code, "HTTP_ERROR", str(error.detail), error.headers)
