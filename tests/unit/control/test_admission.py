"""What of an event is kept: requirements, caps, secrets."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from seawall_control.domain.admission import admitted, cut, problems_of
from seawall_control.domain.events import AttemptSummary, Event, Severity
from seawall_control.domain.redaction import is_secret_key, redact_json, redact_text

NOW_US = 1_700_000_000_000_000
GOOD = Event(
    id="0190f5e2-7c3b-7a51-9d3c-1f0a2b3c4d5e",
    timestamp_us=NOW_US,
    severity=Severity.LOW,
    component="route/a",
    message="m",
)


def test_good_event_is_kept_as_it_is() -> None:
    """Nothing but the missing fingerprint is added to a harmless event."""
    assert problems_of(GOOD, 1, at_us=NOW_US) == ()
    assert admitted(GOOD) == replace(GOOD, fingerprint=admitted(GOOD).fingerprint)
    assert admitted(GOOD).fingerprint.startswith("v1:")


def test_every_problem_is_reported() -> None:
    """A hopeless event gets all its reasons at once."""
    bad = replace(GOOD, id="x", component=" ", timestamp_us=NOW_US + 2 * 86400 * 1_000_000)
    assert [p.field for p in problems_of(bad, 9, at_us=NOW_US)] == [
        "id",
        "severity",
        "component",
        "timestamp",
    ]


def test_long_text_is_cut_visibly_at_a_character() -> None:
    """Cuts count bytes, keep whole characters, and leave a mark."""
    assert cut("é" * 10, 20) == "é" * 10
    shorter = cut("é" * 100, 50)
    assert len(shorter.encode()) <= 50 and shorter.endswith("…[cut]") and "\ufffd" not in shorter


def test_unstorable_characters_are_replaced() -> None:
    """NUL and lone surrogates never reach a store."""
    assert cut("a\x00b\ud800c", 100) == "a\ufffdb\ufffdc"


def test_details_are_bounded_in_depth_breadth_and_size() -> None:
    """A huge or deep object becomes a small one, still JSON."""
    deep: dict[str, object] = {}
    level = deep
    for _ in range(100):
        level["next"] = {}
        level = level["next"]  # type: ignore[assignment]
    wide = {f"k{i}": list(range(1000)) for i in range(1000)}
    for details in (deep, wide, {"long": "x" * 10**6, "nan": float("nan"), "inf": float("inf")}):
        kept = admitted(replace(GOOD, details=details)).details  # type: ignore[arg-type]
        assert len(json.dumps(kept, allow_nan=False)) < 20_000


def test_stack_traces_and_attempts_are_bounded() -> None:
    """A hundred frames from each end of a trace stay, and sixteen attempts."""
    event = replace(
        GOOD,
        stack_trace="\n".join(f"frame {i}" for i in range(1000)),
        attempts=tuple(AttemptSummary(number=i, latency_us=-5) for i in range(1, 100)),
    )
    kept = admitted(event)
    assert (
        "frame 0" in kept.stack_trace and "frame 999" in kept.stack_trace and "lines cut" in kept.stack_trace
    )
    assert len(kept.attempts) == 16 and kept.attempts[0].latency_us == 0


TOKEN = "ghp_" + "A1b2C3d4E5" * 4


@pytest.mark.parametrize("before", range(0, 60, 3))
def test_no_half_of_a_secret_stays_where_a_text_is_cut(before: int) -> None:
    """A secret at the edge of what is kept is known by its whole shape, then cut."""
    at = {"message": 1024, "stack_trace": 32 * 1024, "resolution": 1024, "job_name": 256, "component": 256}
    texts = {name: "x" * (most - 60 + before) + f" {TOKEN} more" for name, most in at.items()}
    event = replace(GOOD, **texts, details={"log": [texts["message"]]})  # type: ignore[arg-type]
    kept = admitted(event)
    for text in (*(getattr(kept, name) for name in at), str(kept.details)):
        assert TOKEN[:6] not in text


def test_names_have_no_secrets_either() -> None:
    """Whoever reports may put anything into any field."""
    names = (
        "component",
        "error_type",
        "route",
        "method",
        "code",
        "reason",
        "trace_id",
        "fingerprint",
        "job_id",
    )
    attempt = AttemptSummary(number=1, endpoint="http://bob:hunter2@db", code=TOKEN, reason=TOKEN)
    event = replace(GOOD, **dict.fromkeys(names, f"of {TOKEN}"), attempts=(attempt,))  # type: ignore[arg-type]
    kept = admitted(replace(event, endpoint="http://bob:hunter2@db"), proxy=TOKEN)
    assert "ghp_" not in str(kept) and "hunter2" not in str(kept)
    assert kept.component == "of [redacted:github]"


def test_a_huge_text_is_looked_through_as_far_as_it_can_matter() -> None:
    """What is far beyond the cut costs nothing, and what it hides at its own end does not come forward."""
    secrets = " ".join([TOKEN] * 1000)
    kept = admitted(replace(GOOD, message=secrets, stack_trace=secrets, details={"a": secrets}))
    assert "ghp_" not in str(kept)
    assert len(kept.message.encode()) <= 1024 and kept.message.endswith("…[cut]")
    began = time.thread_time()
    admitted(replace(GOOD, message="1234 " * 400_000))
    assert time.thread_time() - began < 0.5


def test_causes_group_whatever_varies_in_their_messages() -> None:
    """Two occurrences of one cause have one fingerprint; another error type has another."""
    one = admitted(replace(GOOD, error_type="OSError", message="no space on /dev/sda1 (12 of 34)"))
    two = admitted(replace(GOOD, error_type="OSError", message="no space on /dev/sda1 (99 of 1)"))
    other = admitted(replace(GOOD, error_type="ValueError", message="no space on /dev/sda1 (99 of 1)"))
    assert one.fingerprint == two.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    "secret",
    [
        "Authorization: Bearer abcDEF0123456789",
        "Basic dXNlcjpodW50ZXIy",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nMIIEowIBAAKC and cut off",
        "postgres://bob:hunter2@db:5432/x",
        "ada.lovelace+x@mail.example.com",
        "+44 20 7946 0958",
        "+49(89)1234-567",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "xoxb-1234567890-abcdefghijkl",
        "sk_live_abcdefghijklmnop",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "password=hunter2&x=1",
        '{"api_key": "hunter2"}',
        "4111 1111 1111 1111",
        "5500005555555559",
    ],
)
def test_secret_values_are_recognised_by_their_shape(secret: str) -> None:
    """Each kind of secret is replaced as a whole, with the surroundings kept."""
    found = redact_text(f"before {secret} after")
    assert found.startswith("before ") and "[redacted:" in found
    for part in (
        "hunter2",
        "abcDEF0123",
        "dXNlcjpodW50ZXIy",
        "MIIEow",
        "c2lnbmF0dXJl",
        "AKIAIOSF",
        "ghp_",
        "4111",
        "5500005",
        "lovelace",
        "7946",
        "1234-567",
    ):
        assert part not in found


@pytest.mark.parametrize(
    "harmless",
    [
        "connection to 127.0.0.1:50051 refused",
        "1234567890123456 is no card",
        "trace 4bf92f3577b34da6a3ce929d0e0e4736",
        "2026-11-22T03:15:25.123456Z",
        "http://example.com/a:b@c",
        "basic retry",
        "at 2026-11-22T03:15:25+0000 or 12+3456789",
        "pkg@1.2.3, root@vm and x @ y.z",
    ],
)
def test_harmless_text_stays(harmless: str) -> None:
    """What only resembles a secret is kept."""
    assert redact_text(harmless) == harmless


def test_secret_keys_hide_their_values_at_every_depth() -> None:
    """Keys are compared without case and separators, as substrings; binary metadata always goes."""
    found = redact_json(
        {
            "A": [{"X-API-Key": "v", "user.Session_Id": {"deep": 1}, "trace-bin": "v"}],
            "author": "ann",
            "token": "",
            "n": 1,
        }
    )
    hidden = "[redacted:key]"
    assert found == {
        "A": [{"X-API-Key": hidden, "user.Session_Id": hidden, "trace-bin": hidden}],
        "author": "ann",
        "token": "",
        "n": 1,
    }
    assert is_secret_key("Proxy-Authorization") and not is_secret_key("method")
