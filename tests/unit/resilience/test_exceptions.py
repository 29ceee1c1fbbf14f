"""From exceptions to status codes, categories and strategies."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
import ssl
import urllib.error
from email.message import Message

import grpc
import pytest

from seawall.errors import Conflict
from seawall.resilience import (
    BreakerOpen,
    BulkheadFull,
    DeadlineExceeded,
    category_of,
    code_of,
    exception_map,
    strategy_of,
)
from seawall.resilience.exceptions import ExceptionMap, Matcher, pushback_of
from seawall_policy import status


class Http(Exception):
    """An error as httpx and requests raise it."""

    def __init__(self, code: int, **headers: str) -> None:
        super().__init__(code)
        answer = {
            "status_code": code,
            "headers": {key.replace("_", "-"): text for key, text in headers.items()},
        }
        self.response = type("Response", (), answer)()


class Sql(Exception):
    """An error as drivers of PostgreSQL raise it."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.sqlstate = state


CASES = [
    (ConnectionRefusedError(), "UNAVAILABLE", "transient", "retry"),
    (TimeoutError(), "DEADLINE_EXCEEDED", "transient", "retry"),
    (OSError("some"), "UNAVAILABLE", "transient", "retry"),
    (OSError(errno.ENOSPC, "full"), "RESOURCE_EXHAUSTED", "resource", "queue"),
    (MemoryError(), "RESOURCE_EXHAUSTED", "resource", "queue"),
    (FileNotFoundError(), "NOT_FOUND", "permanent", "dead_letter"),
    (PermissionError(), "PERMISSION_DENIED", "permanent", "dead_letter"),
    (ssl.SSLCertVerificationError(), "UNAUTHENTICATED", "permanent", "dead_letter"),
    (ValueError(), "INVALID_ARGUMENT", "validation", "fail_fast"),
    (UnicodeDecodeError("utf-8", b"", 0, 0, ""), "INVALID_ARGUMENT", "validation", "fail_fast"),
    (TypeError(), "INVALID_ARGUMENT", "validation", "fail_fast"),
    (NotImplementedError(), "UNIMPLEMENTED", "permanent", "dead_letter"),
    (AssertionError(), "INTERNAL", "unknown", "fail_fast"),
    (KeyError(), "UNKNOWN", "unknown", "fail_fast"),
    (asyncio.CancelledError(), "CANCELLED", "unknown", "fail_fast"),
    (sqlite3.OperationalError("database is locked"), "ABORTED", "transient", "retry"),
    (sqlite3.OperationalError("no such table"), "UNAVAILABLE", "transient", "retry"),
    (sqlite3.IntegrityError(), "FAILED_PRECONDITION", "validation", "fail_fast"),
    (Sql("40001"), "ABORTED", "transient", "retry"),
    (Sql("08006"), "UNAVAILABLE", "transient", "retry"),
    (Sql("53300"), "RESOURCE_EXHAUSTED", "resource", "queue"),
    (Sql("57014"), "DEADLINE_EXCEEDED", "transient", "retry"),
    (Sql("23505"), "ALREADY_EXISTS", "validation", "fail_fast"),
    (Http(429), "RESOURCE_EXHAUSTED", "resource", "queue"),
    (Http(503), "UNAVAILABLE", "transient", "retry"),
    (Http(404), "NOT_FOUND", "permanent", "dead_letter"),
    (Http(418), "FAILED_PRECONDITION", "validation", "fail_fast"),
    (Http(599), "INTERNAL", "unknown", "fail_fast"),
    (urllib.error.HTTPError("u", 502, "bad", Message(), None), "UNAVAILABLE", "transient", "retry"),
    (Conflict("x", code="ABORTED"), "ABORTED", "transient", "retry"),
    (BreakerOpen(name="b"), "UNAVAILABLE", "transient", "retry"),
    (BulkheadFull("full"), "RESOURCE_EXHAUSTED", "resource", "queue"),
    (DeadlineExceeded("late"), "DEADLINE_EXCEEDED", "transient", "retry"),
    (
        grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, grpc.aio.Metadata(), grpc.aio.Metadata()),
        "INTERNAL",
        "unknown",
        "fail_fast",
    ),
]


@pytest.mark.parametrize(("error", "code", "category", "strategy"), CASES, ids=lambda one: str(one)[:30])
def test_what_an_exception_stands_for(error: BaseException, code: str, category: str, strategy: str) -> None:
    """The table: code, category and strategy of what applications meet."""
    assert (code_of(error), category_of(error), strategy_of(error)) == (code, category, strategy)


def test_ones_own_exceptions() -> None:
    """What was added last wins, over subclasses too, until it is removed."""

    class Mine(ValueError):
        pass

    class Special(Mine):
        pass

    assert code_of(Mine()) == "INVALID_ARGUMENT"
    exception_map.add(Mine, "UNAVAILABLE")
    try:
        exception_map.add(Special, grpc.StatusCode.ABORTED)
        assert (code_of(Mine()), code_of(Special())) == ("UNAVAILABLE", "ABORTED")
    finally:
        exception_map.remove(Mine)
        exception_map.remove(Special)
    assert code_of(Special()) == "INVALID_ARGUMENT"
    own = ExceptionMap()
    own.add(KeyError, "NOT_FOUND")
    assert own.code(KeyError()) == status.NOT_FOUND
    assert code_of(KeyError()) == "UNKNOWN"


def test_somebody_elses_attributes_do_no_harm() -> None:
    """A `code` or `status` that means something else is passed over, even if it raises."""

    class Odd(Exception):
        code = 7
        status = "pending"

    class Angry(Exception):
        def code(self) -> int:
            raise RuntimeError

    assert (code_of(Odd()), code_of(Angry())) == ("UNKNOWN", "UNKNOWN")


def test_when_a_server_wants_to_be_asked_again() -> None:
    """Retry-After in seconds, `retry_after`, and gRPC's pushback; a date is not read."""
    assert pushback_of(Http(503, Retry_After="3")) == 3.0
    assert pushback_of(Http(503, retry_after="Wed, 21 Oct 2026 07:28:00 GMT")) == -1.0
    assert pushback_of(BreakerOpen(name="b", retry_after=2.5)) == 2.5
    assert pushback_of(KeyError()) == -1.0
    for text, seconds in (("1500", 1.5), ("-1", float("inf")), ("x", float("inf"))):
        error = grpc.aio.AioRpcError(
            grpc.StatusCode.UNAVAILABLE,
            grpc.aio.Metadata(),
            grpc.aio.Metadata(("grpc-retry-pushback-ms", text)),
        )
        assert pushback_of(error) == seconds


def test_conditions() -> None:
    """Classes, codes and functions, alone or together; an empty list means nothing."""
    assert Matcher(KeyError).match(KeyError()) is True
    assert Matcher((KeyError, "UNAVAILABLE")).match(ConnectionResetError()) is True
    assert Matcher([KeyError, lambda _: 2.0]).match(ValueError()) == 2.0
    assert Matcher(()).match(KeyError()) is False
    assert Matcher(grpc.StatusCode.NOT_FOUND).match(FileNotFoundError()) is True
