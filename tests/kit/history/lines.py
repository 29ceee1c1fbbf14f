"""Lines of a history: written one at a time, in one system call, read back from all files of a folder.

    side     what       with
    caller   began      job, deadline_s, once (must not reach its server twice)
    caller   ended      job, code; stamps (what the policy wrote into the call, on both ways)
    caller   stalled    seconds: for so long before this it heard of nothing
    caller   produced   job: the proxy answered with a failure, so it has an event to tell
    server   seen       job
    wire     hello      node, boot, revision, hash, source
    wire     sent       node, spool, events [[number, id, job], ...], gaps [[first, last, reason], ...]
    wire     acked      node, spool, through, refused [number, ...]
    wire     pushed     node, revision, hash
    wire     answered   node, accepted, revision, hash, applied
    store    stored     id, job, node, spool, number
    store    counted    events: of a flood, counted in their groups and not stored
    store    tally      rows, groups: events as the store's own counters have them
    store    gap        node, spool, first, last, reason
    store    refusal    node, spool, number
    store    mark       node, spool, assumed (numbers up to here were acknowledged by another store)
    spool    left       node, spool, last, acked, events and gaps as in `sent`
    spool    held       node, ids (of events that were whole in it), harmed (ids of others)
    test     published  revision, hash; asked_s (since when it may have been sent)
    test     fault      name
    test     restored   the store is an older one from here on
    test     booted     node, source, away (without a control plane), served, ready_s
    test     healed     revision, nodes
    test     resources  process, when (`before`, `after`), files, threads

Every line has `at`, seconds of the machine's monotonic clock, so that lines of all sides have one order.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any, TypeAlias

Line: TypeAlias = dict[str, Any]

SUFFIX = ".jsonl"


class Recorder:
    """One side's file. Lines of several processes may go to one file: each is appended as a whole."""

    def __init__(self, folder: Path, side: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.side = side
        self._fd = os.open(
            folder / f"{side}{SUFFIX}", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
        )

    def __call__(self, what: str, **more: Any) -> None:
        """Append a line."""
        line = {"at": round(monotonic(), 6), "side": self.side, "what": what, **more}
        os.write(self._fd, json.dumps(line, separators=(",", ":")).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read(folder: Path) -> list[Line]:
    """Return the lines of all sides in the order in which they were written. A line that is cut off, as the
    last one of a side that was killed may be, is left out.
    """

    def lines() -> Iterator[Line]:
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    line = json.loads(text)
                except ValueError:
                    continue
                if isinstance(line, dict) and "what" in line:
                    yield line

    return sorted(lines(), key=lambda line: float(line["at"]))
