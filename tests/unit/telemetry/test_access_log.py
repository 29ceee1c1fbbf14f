"""Lines of the access log, and the file that they go to."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from seawall_policy.compile.access_log import DEFAULT_FIELDS, FIELDS
from seawall_proxy.call.access import AccessRecord
from seawall_proxy.call.ports import OUTCOME_FAILED, OUTCOME_OK, OUTCOME_REJECTED, OUTCOME_RETRIED
from seawall_proxy.telemetry import access_log
from seawall_proxy.telemetry.access_format import AccessFormatter, flags
from seawall_proxy.telemetry.access_log import AccessLog
from seawall_proxy.telemetry.clock import ClockAnchor

ANCHOR = ClockAnchor(1000.0, 1_800_000_000.25)
KEY = "AKIA" + "A1B2C3D4E5F6G7H8"


def record(
    route: str = "r", path: bytes = b"/shop.v1.Orders/Get", peer: str = "10.1.2.3:999"
) -> AccessRecord:
    """Return the record of a plain call."""
    made = AccessRecord(route, path, 1001.5, peer)
    made.duration_s = 0.0123456
    return made


def formatter(*fields: str) -> AccessFormatter:
    """Return a formatter with a clock that stands."""
    return AccessFormatter(fields or tuple(FIELDS), lambda: ANCHOR)


def line(made: AccessRecord, *fields: str) -> dict[str, Any]:
    """Return a line, read."""
    raw = formatter(*fields).line(made, ANCHOR)
    assert raw.endswith(b"\n")
    assert raw.count(b"\n") == 1
    return dict(json.loads(raw))


def logging_to(path: Path | str, *fields: str, failures_only: bool = False) -> AccessLog:
    """Return an access log that writes statuses."""
    return AccessLog(str(path), formatter(*(fields or ("method",))), failures_only=failures_only)


def lines(path: Path) -> list[dict[str, Any]]:
    """Return a file's lines, read."""
    return [json.loads(text) for text in path.read_text("ascii").splitlines()]


def test_every_key_of_a_line() -> None:
    """A line has the keys of the reference in their order, each with its unit."""
    made = record()
    made.request.count(b"\0\0\0\0\x03abc")
    made.answered(b"\0\0\0\0\0", 1001.51)
    made.deadline_s = 2.0
    found = line(made)
    assert list(found) == list(FIELDS)
    assert found["time"] == "2027-01-15T08:00:01.750000Z"
    assert (found["duration_ms"], found["first_message_ms"], found["deadline_ms"]) == (12.346, 10.0, 2000.0)
    assert (found["request_bytes"], found["request_messages"]) == (8, 1)
    assert (found["response_bytes"], found["response_messages"]) == (5, 1)
    assert (found["status"], found["outcome"], found["flags"]) == ("OK", "ok", [])
    assert (found["method"], found["peer"], found["peer_address"]) == (
        "shop.v1.Orders/Get",
        "10.1.2.x",
        "10.1.2.3:999",
    )


def test_what_is_not_known_is_null() -> None:
    """A call without a deadline and without an answer has no times for them."""
    found = line(record(), "first_message_ms", "deadline_ms")
    assert found == {"first_message_ms": None, "deadline_ms": None}


def test_chosen_keys_in_their_order() -> None:
    """`fields` says which keys a line has, and in which order."""
    assert list(line(record(), "status", "time")) == ["status", "time"]


def test_flags_tell_what_was_not_plain() -> None:
    """Reasons of the answer and of what it replaced, once each."""
    made = record()
    made.outcome = OUTCOME_RETRIED
    made.failed_code = 14
    assert flags(made) == ["RETRIED", "UNAVAILABLE"]
    made.failed_reason = "PER_TRY_TIMEOUT"
    assert flags(made) == ["PER_TRY_TIMEOUT", "RETRIED"]
    made.outcome = OUTCOME_REJECTED
    made.reason = made.failed_reason = "BREAKER_OPEN"
    assert flags(made) == ["BREAKER_OPEN"]


@pytest.mark.parametrize("evil", ["\n", "\r", "\x1b[31m", "\x00", "\u2028", "\x85", "é", "\udcff", '"', "\\"])
def test_nobody_writes_a_line_of_their_own(evil: str) -> None:
    """Whatever a client puts into a text, the line stays one line of plain ASCII (T31)."""
    raw = f"a{evil}b".encode("utf-8", "surrogateescape")
    made = record(route="", path=b"/" + raw)
    made.user_agent = made.authority = made.message = made.trace_id = raw
    out = formatter().line(made, ANCHOR)
    assert out.isascii()
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", out)
    assert out.count(b"\n") == 1


def test_secrets_and_people_are_left_out() -> None:
    """What a caller chose is redacted as in events; an address loses its host unless it is asked for."""
    made = record(route="", path=f"/x/{KEY}".encode(), peer="[2001:db8:1:2::3]:99")
    made.user_agent = f"curl token={KEY}".encode()
    made.authority = f"{KEY}.example".encode()
    made.message = b"password%3Dhunter2 for a%40example.org"
    made.outcome = OUTCOME_FAILED
    raw = formatter(*DEFAULT_FIELDS).line(made, ANCHOR).decode()
    for secret in (KEY, "hunter2", "a@example.org", "1:2::3"):
        assert secret not in raw
    assert json.loads(raw)["peer"] == "2001:db8:1::/48"
    assert line(record(peer="127.0.0.1:80"), "peer") == {"peer": "127.0.0.1"}
    assert line(record(peer="unix:"), "peer") == {"peer": "unix:"}


def test_a_trace_id_is_one() -> None:
    """Anything else in its place is left out."""
    made = record()
    made.trace_id = b"0123456789abcdef" * 2
    assert line(made, "trace_id") == {"trace_id": "0123456789abcdef" * 2}
    made.trace_id = b"x" * 32
    assert line(made, "trace_id") == {"trace_id": ""}


def test_what_waits_is_written_at_the_end(tmp_path: Path) -> None:
    """Closing writes everything and tells that it did."""
    log = logging_to(tmp_path / "a.log")
    for _ in range(300):
        log.call_ended(record())
    assert log.close()
    assert (log.written, len(log), log.dropped) == (300, 0, {})
    assert len(lines(tmp_path / "a.log")) == 300
    assert (tmp_path / "a.log").stat().st_mode & 0o777 == 0o640


def test_lines_are_added_to_what_is_there(tmp_path: Path) -> None:
    """A restart goes on with the same file."""
    for _ in range(2):
        log = logging_to(tmp_path / "a.log")
        log.call_ended(record())
        assert log.close()
    assert len(lines(tmp_path / "a.log")) == 2


def test_failures_only(tmp_path: Path) -> None:
    """Plain successes are passed over, everything else is written."""
    log = logging_to(tmp_path / "a.log", "outcome", failures_only=True)
    for outcome in (OUTCOME_OK, OUTCOME_RETRIED, OUTCOME_FAILED):
        made = record()
        made.outcome = outcome
        log.call_ended(made)
    assert log.close()
    assert [entry["outcome"] for entry in lines(tmp_path / "a.log")] == ["retried", "failed"]


def test_a_full_queue_drops_and_counts(tmp_path: Path) -> None:
    """When more comes than can be written, the rest is counted and nobody waits."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    log = logging_to(pipe)
    # A pipe takes 64 KiB and then blocks whoever writes: the thread, and nobody else.
    total = 3 * access_log.CAPACITY
    for _ in range(total):
        log.call_ended(record())
    assert not log.close(0.05), "the reader has stopped: the end does not wait for it"
    dropped = log.dropped[access_log.QUEUE_FULL]
    assert dropped > 0
    assert dropped + log.written + len(log) + access_log.BATCH >= total
    os.close(reader)


def test_a_renamed_file_is_made_anew(tmp_path: Path) -> None:
    """After logrotate has moved the file, lines go to a new one of the same name."""
    path = tmp_path / "a.log"
    log = logging_to(path)
    log.call_ended(record(path=b"/s/Before"))
    while log.written < 1:
        log._wake.set()
    path.rename(tmp_path / "a.log.1")
    log.call_ended(record(path=b"/s/After"))
    assert log.close()
    assert [entry["method"] for entry in lines(tmp_path / "a.log.1")] == ["s/Before"]
    assert [entry["method"] for entry in lines(path)] == ["s/After"]


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """It is an error at the start, and not at the first call."""
    with pytest.raises(OSError, match="No such file"):
        logging_to(tmp_path / "none" / "a.log")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_drops_and_counts() -> None:
    """What the disk does not take is counted, and the log goes on."""
    log = logging_to("/dev/full")
    for _ in range(5):
        log.call_ended(record())
    assert log.close()
    assert (log.written, log.dropped) == (0, {access_log.WRITE_FAILED: 5})


def test_a_torn_line_is_ended_first(tmp_path: Path) -> None:
    """A line that was written in part does not swallow the next one, and only whole lines count."""
    log = logging_to(tmp_path / "a.log")
    assert log.close()
    reader, writer = os.pipe2(os.O_NONBLOCK)
    filled = os.write(writer, b"x" * (60 << 10))
    log._file = writer
    # There is room for a page, and for no more.
    log._write([b'{"a":1}\n', b'{"b":"' + b"y" * 10_000 + b'"}\n'])
    assert (log.written, log.dropped) == (1, {access_log.WRITE_FAILED: 1})
    first = os.read(reader, 1 << 20)[filled:]
    log._write([b'{"c":3}\n'])
    second = os.read(reader, 1 << 20)
    os.close(reader)
    os.close(writer)
    assert first.startswith(b'{"a":1}\n{"b":"yyy')
    assert second == b'\n{"c":3}\n'
    assert log.written == 2


def test_a_file_that_cannot_be_opened_again_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Lines go on to the old file, however often the new one is tried and lines are written meanwhile."""
    folder, moved = tmp_path / "logs", tmp_path / "moved"
    folder.mkdir()
    log = logging_to(folder / "a.log")
    assert log.close()
    log._file = log._open()
    folder.rename(moved)
    for _ in range(4):
        log.call_ended(record())
        log._follow()
        log._drain()
    os.close(log._file)
    said = [entry.getMessage() for entry in caplog.records]
    assert len([text for text in said if "cannot open" in text]) == 1
    assert not [text for text in said if "is written again" in text]
    assert len(lines(moved / "a.log")) == 4
