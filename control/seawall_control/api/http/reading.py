"""Reads requests: bounded bodies, and parameters that must be what they are said to be."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request

from seawall_control.api.http.rpc.checking import MAX_NESTING, cut
from seawall_control.domain.errors import FieldProblem, InvalidRequest

_PARTS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)
MAX_BODY_BYTES: Final = 2 * 1024 * 1024
LARGE_BYTES: Final = 64 * 1024
"""JSON of more than this is read and written in a thread, since it takes longer than others should wait."""


async def json_body(request: Request, *, most: int = MAX_BODY_BYTES) -> bytes:
    """Return the body, which must be said to be JSON. Raise HTTPException 413 and 415."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "send JSON, with content-type application/json")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise HTTPException(415, "send JSON as it is: content-encoding is not taken")
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > most:
            raise HTTPException(413, f"the body is longer than {most} bytes")
    return bytes(raw)


def json_text(raw: bytes) -> str:
    """Return the text of a body, an empty object for an empty one. Raise `InvalidRequest`: JSON that programs
    exchange is UTF-8 (RFC 8259, 8.1).
    """
    try:
        return raw.decode("utf-8") or "{}"
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"the body is not UTF-8: byte {raw[error.start]:#04x} at {error.start}"
        ) from None


async def json_object(request: Request, *, optional: bool = False) -> dict[str, Any]:
    """Return the JSON object of the body; where it is optional, no body at all is an empty one. Raise
    `InvalidRequest`, or HTTPException 413 and 415.
    """
    said = request.headers
    if optional and "transfer-encoding" not in said and said.get("content-length", "0") == "0":
        return {}
    return parse_json(await json_body(request))


def parse_json(raw: bytes) -> dict[str, Any]:
    """Return the JSON object of a body; an empty body is an empty object. Raise `InvalidRequest`."""
    text = json_text(raw)
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        raise InvalidRequest(f"the body is nested more than {MAX_NESTING} deep") from None
    except ValueError as error:
        # How deep Python reads before it gives up depends on its version.
        if _is_deep(text):
            raise InvalidRequest(f"the body is nested more than {MAX_NESTING} deep") from None
        raise InvalidRequest(f"the body is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise InvalidRequest("the body must be a JSON object")
    return found


def _is_deep(text: str) -> bool:
    """Tell whether a text that is no JSON opens more than may be open at once."""
    depth = 0
    for found in _PARTS.finditer(text):
        depth += 1 if found[0] in "[{" else -1 if found[0] in "]}" else 0
        if depth > MAX_NESTING:
            return True
    return False


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        # Remembered as it goes: an object of many fields has as many names to look through.
        met: set[str] = set()
        again = next(name for name, _ in pairs if name in met or met.add(name))  # type: ignore[func-returns-value]
        raise InvalidRequest(f"the body has the field {cut(again)!r} twice in one object")
    return found


def _no_number(word: str) -> float:
    raise InvalidRequest(f"the body is not JSON: {word} is no number there")


async def json_fields(request: Request, *known: str, optional: bool = False) -> dict[str, Any]:
    """Return the body, an object of these fields alone. A misspelt `validate_only` must not do what is asked:
    any other field, and any parameter in the path, raises `InvalidRequest`.
    """
    only(request)
    body = await json_object(request, optional=optional)
    unknown = [
        FieldProblem(key[:64], f"is no field of this request; known are {', '.join(known)}", "UNKNOWN_FIELD")
        for key in body
        if key not in known
    ]
    if unknown:
        raise InvalidRequest.of(unknown)
    return body


def text_of(body: Mapping[str, Any], key: str) -> str:
    """Return a string of the body; empty when it is not there. Raise `InvalidRequest`."""
    value = body.get(key, "")
    if not isinstance(value, str):
        raise InvalidRequest(f"{key} must be a string")
    return value


def switch_of(body: Mapping[str, Any], key: str) -> bool:
    """Return a switch of the body; false when it is not there. Raise `InvalidRequest`."""
    value = body.get(key, False)
    if not isinstance(value, bool):
        raise InvalidRequest(f"{key} must be true or false")
    return value


def flag(request: Request, key: str) -> bool:
    """Return a switch of the query; what is neither true nor false must not pass for false."""
    value = request.query_params.get(key, "false")
    if value not in {"true", "false"}:
        raise InvalidRequest(f"{key} must be true or false")
    return value == "true"


def only(request: Request, *known: str) -> None:
    """Refuse a query parameter that is none of ours: a misspelt condition must not select everything."""
    only_known(request.query_params, *known)


def only_known(query: QueryParams, *known: str) -> None:
    """Refuse a parameter that is none of these, and one that comes twice. Raise `InvalidRequest`."""
    for key in query:
        if key not in known:
            known_here = f"known are {', '.join(known)}" if known else "there is none"
            raise InvalidRequest(f"there is no parameter {key[:64]!r} here; {known_here}")
        if len(query.getlist(key)) > 1:
            raise InvalidRequest(f"the parameter {key!r} may be given once")


def whole(query: QueryParams, key: str, *, default: int = 0, most: int = 1_000_000) -> int:
    """Return a whole number of the query, `most` for more. Raise `InvalidRequest` for any other, also for
    negative ones.
    """
    text = query.get(key, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal()):
        problem = FieldProblem(key, f"must be a whole number from 0 on, not {text[:64]!r}", "WRONG_TYPE")
        raise InvalidRequest(f"{key}: {problem.message}", (problem,))
    return min(int(text[:20]), most)


def number(request: Request, key: str, default: float) -> float:
    """Return a finite number of the query. Raise `InvalidRequest`."""
    return number_of(request.query_params, key, default)


def number_of(query: QueryParams, key: str, default: float) -> float:
    """Return a finite number. Raise `InvalidRequest`."""
    try:
        found = float(query.get(key, default))
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise InvalidRequest(f"{key} must be a number")
    return found
