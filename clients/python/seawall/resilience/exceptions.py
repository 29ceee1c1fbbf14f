"""From an exception to a gRPC status code, which is what the policy engine decides on.

An exception that carries a status itself (grpc, grpc.aio, grpclib, google.api_core, this library's own) is
taken at its word. Others are looked up: first what `ExceptionMap.add` was told, then HTTP statuses and SQL
states that the exception carries, then the table of this module. No library is imported to find out.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

from seawall.resilience.errors import Rejected
from seawall_policy import classify, status
from seawall_policy.classify import CATEGORY_NAMES, STRATEGY_NAMES, Classifier

NO_CODE: Final = -1


@runtime_checkable
class CodeLike(Protocol):
    """A status code of whatever library: `grpc.StatusCode.UNAVAILABLE`, `grpclib.Status.UNAVAILABLE`."""

    @property
    def name(self) -> str:
        """Return the name, as in gRPC's documentation."""


Condition = type[Exception] | str | CodeLike | Callable[[Exception], "bool | float"]
"""What a failure is compared with: an exception class, a status code (name or enumeration), or a function
that is given the exception. A number from the function means yes, and how many seconds to wait."""

On = Condition | Sequence[Condition]

_BY_ERRNO: Final[Mapping[int, int]] = dict.fromkeys(
    (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS),
    status.RESOURCE_EXHAUSTED,
)

_BY_TYPE: Final[tuple[tuple[type[BaseException], int], ...]] = (
    # The first that fits decides: subclasses stand before their bases.
    (FileNotFoundError, status.NOT_FOUND),
    (ProcessLookupError, status.NOT_FOUND),
    (FileExistsError, status.ALREADY_EXISTS),
    (PermissionError, status.PERMISSION_DENIED),
    (NotADirectoryError, status.FAILED_PRECONDITION),
    (IsADirectoryError, status.FAILED_PRECONDITION),
    (TimeoutError, status.DEADLINE_EXCEEDED),
    (ConnectionError, status.UNAVAILABLE),
    (OSError, status.UNAVAILABLE),
    (EOFError, status.UNAVAILABLE),
    (MemoryError, status.RESOURCE_EXHAUSTED),
    (RecursionError, status.INTERNAL),
    (NotImplementedError, status.UNIMPLEMENTED),
    (AssertionError, status.INTERNAL),
    (ValueError, status.INVALID_ARGUMENT),
    (TypeError, status.INVALID_ARGUMENT),
)

_BY_HTTP: Final[Mapping[int, int]] = {
    400: status.INVALID_ARGUMENT,
    401: status.UNAUTHENTICATED,
    403: status.PERMISSION_DENIED,
    404: status.NOT_FOUND,
    408: status.DEADLINE_EXCEEDED,
    409: status.ABORTED,
    412: status.FAILED_PRECONDITION,
    422: status.INVALID_ARGUMENT,
    425: status.UNAVAILABLE,
    429: status.RESOURCE_EXHAUSTED,
    500: status.INTERNAL,
    501: status.UNIMPLEMENTED,
    502: status.UNAVAILABLE,
    503: status.UNAVAILABLE,
    504: status.UNAVAILABLE,
}
"""Of an application that speaks HTTP; gRPC's mapping (`doc/http-grpc-status-mapping.md`) is for servers that
meant to speak gRPC."""

_BY_SQLSTATE: Final[tuple[tuple[str, int], ...]] = (
    # Classes of SQL states; PostgreSQL appendix A.
    ("40", status.ABORTED),  # serialization failure, deadlock
    ("55P03", status.ABORTED),  # lock not available
    ("08", status.UNAVAILABLE),  # connection
    ("57P", status.UNAVAILABLE),  # shutdown
    ("53", status.RESOURCE_EXHAUSTED),
    ("57014", status.DEADLINE_EXCEEDED),  # statement timeout
    ("23505", status.ALREADY_EXISTS),
    ("22", status.INVALID_ARGUMENT),
    ("23", status.FAILED_PRECONDITION),
    ("42", status.INVALID_ARGUMENT),
    ("28", status.UNAUTHENTICATED),
)

_BY_NAME: Final[Mapping[str, int]] = {
    # Names that libraries which cannot be imported here agree on: PEP 249, ssl, PostgreSQL drivers.
    "SSLCertVerificationError": status.UNAUTHENTICATED,
    "IntegrityError": status.FAILED_PRECONDITION,
    "ProgrammingError": status.INVALID_ARGUMENT,
    "DataError": status.INVALID_ARGUMENT,
    "NotSupportedError": status.UNIMPLEMENTED,
    "OperationalError": status.UNAVAILABLE,
    "InterfaceError": status.UNAVAILABLE,
    "DeadlockDetectedError": status.ABORTED,
    "SerializationError": status.ABORTED,
}


class ExceptionMap:
    """Which status code an exception stands for. Later additions win over earlier ones."""

    def __init__(self) -> None:
        self._added: tuple[tuple[type[BaseException], int], ...] = ()
        self._lock = threading.Lock()

    def add(self, kind: type[BaseException], code: str | CodeLike) -> None:
        """Let exceptions of this class stand for a code, such as "UNAVAILABLE"."""
        number = code_number(code)
        with self._lock:
            self._added = ((kind, number), *self._added)

    def remove(self, kind: type[BaseException]) -> None:
        """Forget what was added for this class."""
        with self._lock:
            self._added = tuple(pair for pair in self._added if pair[0] is not kind)

    def code(self, error: BaseException) -> int:
        """Return the status code that stands for an exception; UNKNOWN when nothing is known."""
        for kind, number in self._added:
            if isinstance(error, kind):
                return number
        number = own_code(error)
        if number != NO_CODE:
            return number
        if isinstance(error, OSError) and error.errno is not None and error.errno in _BY_ERRNO:
            return _BY_ERRNO[error.errno]
        for one in type(error).__mro__:
            if one.__name__ in _BY_NAME:
                # sqlite3 says "locked" and "busy" under the same class as everything else.
                return status.ABORTED if "locked" in str(error) else _BY_NAME[one.__name__]
        for kind, number in _BY_TYPE:
            if isinstance(error, kind):
                return number
        return status.CANCELLED if type(error).__name__ == "CancelledError" else status.UNKNOWN


exception_map: Final = ExceptionMap()
"""What every policy looks in unless it was given another one."""


def code_of(error: BaseException) -> str:
    """Return the name of the status code that stands for an exception."""
    return status.NAMES[exception_map.code(error)]


def category_of(error: BaseException, classifier: Classifier | None = None) -> str:
    """Return the category of an exception: transient, resource, validation, permanent or unknown."""
    return CATEGORY_NAMES[(classifier or _DEFAULTS).category(exception_map.code(error))]


def strategy_of(error: BaseException, classifier: Classifier | None = None) -> str:
    """Return what is best done about an exception: retry, queue, fail_fast or dead_letter."""
    return STRATEGY_NAMES[(classifier or _DEFAULTS).strategy(exception_map.code(error))]


_DEFAULTS: Final = Classifier()

TRANSIENT_CODES: Final = sum(
    1 << code
    for code in range(1, status.MAX_CODE + 1)
    if classify.DEFAULT_CATEGORIES[code] == classify.TRANSIENT
)
"""UNAVAILABLE, DEADLINE_EXCEEDED and ABORTED: what a retry repeats when nothing else is said."""


def own_code(error: BaseException) -> int:
    """Return the status that an exception carries itself, NO_CODE (-1) when it carries none."""
    for name in ("code", "grpc_status_code", "status"):
        value: object = getattr(error, name, None)
        if value is None:
            continue
        if callable(value):
            try:
                value = value()
            except Exception:  # noqa: BLE001, S112 - somebody else's method of that name
                continue
        found = value if isinstance(value, str) else getattr(value, "name", None)
        if isinstance(found, str) and found in status.CODE_BY_NAME:
            return status.CODE_BY_NAME[found]
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if isinstance(state, str):
        for prefix, number in _BY_SQLSTATE:
            if state.startswith(prefix):
                return number
    return _http_code(error)


def _http_code(error: BaseException) -> int:
    """Return the code of an HTTP status that an exception carries like httpx, requests, aiohttp, urllib."""
    response: object = getattr(error, "response", None)
    for owner, name in (
        (response, "status_code"),
        (error, "status_code"),
        (error, "status"),
        (error, "code"),
    ):
        value = getattr(owner, name, None)
        if isinstance(value, int) and 400 <= value <= 599:
            return _BY_HTTP.get(value, status.INTERNAL if value >= 500 else status.FAILED_PRECONDITION)
    return NO_CODE


def pushback_of(error: BaseException) -> float:
    """Return the seconds that a server asks to wait before another try, -1.0 when it does not say.

    Read from `grpc-retry-pushback-ms` in gRPC's trailers, from `Retry-After` of an HTTP response, and from
    the attribute `retry_after`. Infinity means never: the pushback was negative or unreadable.
    """
    trailers = getattr(error, "trailing_metadata", None)
    if callable(trailers):
        for key, value in trailers() or ():
            if key == "grpc-retry-pushback-ms":
                return _milliseconds(value if isinstance(value, bytes) else str(value).encode())
    own = getattr(error, "retry_after", None)
    if isinstance(own, int | float) and own >= 0.0:
        return float(own)
    headers: object = getattr(getattr(error, "response", None), "headers", None)
    if isinstance(headers, Mapping):
        text = headers.get("retry-after") or headers.get("Retry-After")
        if isinstance(text, str) and text.isascii() and text.isdigit():
            return float(text)
    return -1.0


def _milliseconds(value: bytes) -> float:
    from seawall_policy.retry import parse_pushback  # noqa: PLC0415 - only where a server said so

    found = parse_pushback(value)
    return float("inf") if found < 0 else found / 1000.0


def code_number(code: str | CodeLike) -> int:
    """Return the number of a status code by its name; ValueError says which names there are."""
    name = code if isinstance(code, str) else code.name
    number = status.CODE_BY_NAME.get(name.upper())
    if number is None:
        raise ValueError(f"no such gRPC status code: {name!r}; use one of {', '.join(status.NAMES[1:])}")
    return number


class Matcher:
    """Whether a failure is meant by a condition or by any of several."""

    def __init__(self, on: On, exceptions: ExceptionMap | None = None) -> None:
        conditions = tuple(on) if isinstance(on, Sequence) and not isinstance(on, str) else (on,)
        self._exceptions = exceptions or exception_map
        self._codes = 0
        self._asked: tuple[Callable[[Exception], bool | float], ...] = ()
        kinds: list[type[Exception]] = []
        for one in conditions:
            if isinstance(one, type):
                if not issubclass(one, BaseException):
                    raise TypeError(f"{one!r} is no exception class")
                kinds.append(one)
            elif isinstance(one, str) or (isinstance(one, CodeLike) and not callable(one)):
                self._codes |= 1 << code_number(one)
            elif callable(one):
                self._asked = (*self._asked, one)
            else:
                raise TypeError(f"{one!r} is no exception class, status code or function")
        self._kinds = tuple(kinds)
        self._names_rejections = any(issubclass(kind, Rejected) for kind in kinds)

    def match(self, error: Exception) -> bool | float:
        """Return whether the failure is meant, or the seconds that a condition wants to wait.

        What Seawall itself refused is only meant when its class is named.
        """
        if isinstance(error, self._kinds) and (self._names_rejections or not isinstance(error, Rejected)):
            return True
        if isinstance(error, Rejected):
            return False
        if self._codes and (self._codes >> self._exceptions.code(error)) & 1:
            return True
        for ask in self._asked:
            answer = ask(error)
            if answer is not False:
                return answer
        return False
