"""Failures as HTTP answers: one shape, one table."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from seawall_control.api.errors import http_status, message_of, reason_of, retry_after_s
from seawall_control.domain.errors import ControlError, InvalidRequest
from seawall_control.domain.events import Json

_log = logging.getLogger("seawall.control.http")

Endpoint = Callable[[Request], Awaitable[Response]]


def failure(
    status: int, reason: str, message: str, violations: list[dict[str, Json]] | None = None
) -> JSONResponse:
    """Return an answer that says what went wrong."""
    return JSONResponse(
        {"error": {"reason": reason, "message": message, "violations": violations or []}}, status
    )


def error_response(error: BaseException) -> JSONResponse:
    """Return the response for an error."""
    if not isinstance(error, ControlError):
        _log.error("a request failed by our fault", exc_info=error)
    problems = error.problems if isinstance(error, InvalidRequest) else ()
    violations: list[dict[str, Json]] = [
        {"field": p.field, "message": p.message, "code": p.code} for p in problems
    ]
    response = failure(http_status(error), reason_of(error), message_of(error), violations)
    if retry_after_s(error):
        response.headers["retry-after"] = str(max(1, int(retry_after_s(error))))
    return response


def guarded(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint with its errors answered by the table."""

    async def call(request: Request) -> Response:
        try:
            return await endpoint(request)
        except HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 - the table decides
            return error_response(error)

    return call


async def http_failure(request: Request, error: Exception) -> Response:
    """Answer what no endpoint has answered."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(error.detail) if isinstance(error, HTTPException) else "internal error"
    if status == 404:
        detail = "no such page; there are /health, /ready, /metrics, /status and /api/v1/errors"
    return failure(status, "HTTP_ERROR" if status != 404 else "NOT_FOUND", detail)
