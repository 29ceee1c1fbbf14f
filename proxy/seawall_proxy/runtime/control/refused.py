"""The dead-letter file: events that the control plane refuses for good, with the reason, for a person to
read.

One JSON object a line; when the file has grown to its limit it becomes `.1` and a new one is begun, so at
most twice the limit is kept. Blocking calls: use a thread.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from google.protobuf.json_format import MessageToDict

from seawall.v1 import event_pb2

LIMIT_BYTES: Final = 1 << 20


class RefusedFile:
    """Appends refused events to a file in the proxy's data directory."""

    def __init__(self, path: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self._path: Path = path
        self._limit_bytes: int = limit_bytes

    def add(self, spool_id: str, seq: int, reason: str, event: event_pb2.ErrorEvent | None) -> None:
        """Append one event (None when it is no longer known); raise OSError when the disk does not take
        it.
        """
        line = {
            "spool_id": spool_id,
            "seq": seq,
            "reason": reason,
            "event": None if event is None else MessageToDict(event, preserving_proto_field_name=True),
        }
        data = json.dumps(line, ensure_ascii=False).encode("utf-8") + b"\n"
        try:
            if self._path.stat().st_size + len(data) > self._limit_bytes:
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        except FileNotFoundError:
            pass
        fd = os.open(self._path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "ab") as file:
            file.write(data)
