"""Logging of the control plane: one line a record, for people or as JSON, secrets removed."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TextIO

from seawall_control.domain.redaction import redact_text

FIELDS: Final = "fields"
"""Key of `extra` under which structured values travel."""


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    found = getattr(record, FIELDS, None)
    return found if isinstance(found, Mapping) else {}


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact_text(record.getMessage()),
        }
        for key, value in _fields(record).items():
            line[key] = value if isinstance(value, int | float | bool | None) else redact_text(str(value))
        if record.exc_info:
            line["exception"] = redact_text(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


_BREAKS: Final = {code: repr(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}
"""Characters that end a line or drive a terminal, and how they are written instead."""


class TextFormatter(logging.Formatter):
    """One readable line, of the form and in the time zone of the proxy's. What others have put into a value
    neither begins a line of its own nor moves the cursor of whoever reads it; only tracebacks have several.
    """

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        fields = " ".join(f"{key}={value}" for key, value in _fields(record).items())
        text = f"{self.formatTime(record)} {record.levelname:<7} {record.name}: {record.getMessage()}" + (
            f"  {fields}" if fields else ""
        )
        text = text.translate(_BREAKS)
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return redact_text(text)


def quiet_core() -> None:
    """Keep gRPC's core from writing to stderr, unless `GRPC_VERBOSITY` asks for it. Call this before gRPC is
    imported for the first time.

    What it says of a handshake or of an address in use is said by us where it matters, and its lines have a
    form of their own, which readers of --log json cannot read.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")


def set_up(style: str, level: str, stream: TextIO | None = None) -> None:
    """Send our log records to a stream (stderr by default) as `json` or `text`, and what libraries warn of in
    the same form. For composition roots.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    root = logging.getLogger("seawall")
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    root.propagate = False
    others = logging.getLogger()
    others.handlers[:] = [handler]
    others.setLevel(max(logging.WARNING, root.level))
