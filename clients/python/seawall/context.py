"""What a failure belongs to: fields of the current thread or task, in events and in log records.

with error_context(job_id="7", job_name="import", tenant="acme"):
    ...                       # every report from here has these fields, in tasks started here too
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final

Field = str | float | bool | None

_EMPTY: Final[Mapping[str, Field]] = MappingProxyType({})
_fields: ContextVar[Mapping[str, Field]] = ContextVar("seawall_error_context", default=_EMPTY)


@contextmanager
def error_context(**fields: Field) -> Iterator[None]:
    """Add fields to whatever is reported in the body. `job_id`, `job_name` and `component` fill the fields of
    that name in an event, the others its details.
    """
    token = _fields.set(MappingProxyType({**_fields.get(), **fields}))
    try:
        yield
    finally:
        _fields.reset(token)


def context_fields() -> Mapping[str, Field]:
    """Return the fields of this thread or task."""
    return _fields.get()


def trace_id() -> str:
    """Return the id of the OpenTelemetry trace under way in hexadecimal; empty without one."""
    module = sys.modules.get("opentelemetry.trace")
    if module is None:
        return ""
    number: int = module.get_current_span().get_span_context().trace_id
    return f"{number:032x}" if number else ""


class ContextFilter(logging.Filter):
    """Puts the fields into log records, as attributes and together in `record.context`.

        handler.addFilter(ContextFilter())
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s %(context)s"))

    An attribute that a record has already is left as it is.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields; every record passes."""
        fields = _fields.get()
        record.context = " ".join(f"{key}={value}" for key, value in fields.items())
        for key, value in fields.items():
            if not hasattr(record, key):
                setattr(record, key, value)
        return True
