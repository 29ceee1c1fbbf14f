"""Redaction: secrets go, whatever they hide in; what a person needs stays."""

from __future__ import annotations

import json

import pytest

from seawall_proxy.telemetry.redact import (
    MAX_BREADTH,
    MAX_VALUE_BYTES,
    clip,
    is_denied,
    redact_identifier,
    redact_text,
    redact_value,
)

SECRETS = [
    ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"),
    ("scheme", "Bearer aGVsbG8gd29ybGQ="),
    ("scheme", "Basic dXNlcjpwYXNzd29yZA=="),
    ("cloud", "AKIAIOSFODNN7EXAMPLE"),
    ("cloud", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
    ("cloud", "xoxb-123456789012-abcdefghijkl"),
    ("cloud", "sk_live_4eC39HqLyjWDarjtT1zdp7dc"),
    ("cloud", "AIzaSyA1234567890abcdefghijklmnopqrstuvw"),
    ("email", "bob.smith+tag@mail.example.com"),
    ("card", "4111 1111 1111 1111"),
    ("card", "5500005555555559"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("phone", "+49 170 1234567"),
    ("entropy", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("entropy", "5d41402abc4b2a76b9719d911017c592"),
    ("entropy", "c3VwZXIgc2VjcmV0IHBhc3N3b3JkIGZvciBteSBkYXRhYmFzZTQy"),
    ("key", "password=hunter2"),
    ("key", "password: hunter2"),
    ("key", "client_secret=abc"),
    ("key", '"api_key": "xyz 1"'),
    ("key", '\\"token\\": \\"abc\\"'),
    ("key", "Authorization: Bearer abc.def"),
    ("key", "sessionid=abc123"),
    ("key", "x-api-key: k-1"),
    ("userinfo", "https://admin:hunter2@db.internal/"),
    ("pem", "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----"),
    ("pem", "-----BEGIN PRIVATE KEY-----\nMIIEow and no end"),
]


@pytest.mark.parametrize(("rule", "secret"), SECRETS)
@pytest.mark.parametrize("frame", ["{}", "cannot log in with {} (code 7)", '{{"detail": "{}"}}'])
def test_planted_secret_is_replaced_by_its_rule(rule: str, secret: str, frame: str) -> None:
    """No part of 6 characters of the secret's last word is left, and the mark says which rule it was."""
    shown = redact_text(frame.format(secret))
    assert "[redacted:" in shown
    tail = secret.rstrip("=").split()[-1].split("=")[-1].strip('"\\-')[-6:]
    if rule not in ("pem", "userinfo"):
        assert tail not in shown
    for word in ("hunter2", "MIIEow", "admin:"):
        assert word not in shown
    assert f"[redacted:{rule}:" in shown


@pytest.mark.parametrize(
    "text",
    [
        "token: unexpected end of input",
        "basic authentication failed",
        "secretary said hello",
        "no method shop.v1.InventoryServiceV2/GetInventoryForWarehouseAndRegion",
        "order 3f2504e0-4f89-11d3-9a0c-0305e82c3301 not found",
        "took 12345678 ns at 12:30:45",
        "version 1.2.3.4.5",
        "127.0.0.1:50051 and ::1 refuse",
        "order 4111111111111112 is odd",
        "FAILED_PRECONDITION_ON_A_VERY_LONG_ENUM_NAME",
    ],
)
def test_plain_sentences_stay_as_they_are(text: str) -> None:
    """What only resembles a secret is left alone."""
    assert redact_text(text) == text


def test_addresses_keep_their_network() -> None:
    """An address loses its last part, so that the broken network can still be found."""
    shown = redact_text("from 10.1.2.3:50051 via 2001:db8:1:2::9")
    assert shown == "from 10.1.2.x:50051 via 2001:db8:1::/48"


def test_result_is_one_bounded_line() -> None:
    """Control characters become spaces and 1 KiB of UTF-8 is the most that is kept, in whole characters."""
    shown = redact_text("a\r\nb\x00c " + "é " * 900)
    assert shown.startswith("a b c é")
    assert len(shown.encode()) <= MAX_VALUE_BYTES
    assert shown.endswith("…")


def test_secret_at_the_cut_is_not_half_shown() -> None:
    """Of a text that is too long the word at the cut goes, and a single endless word goes whole."""
    text = "x " * 1000 + "password=" + "z1" * 200
    assert "z1z1" not in redact_text(text)
    assert redact_text("z1Q" * 5000) == "[redacted:long:~16384]"


def test_identifiers_may_be_random() -> None:
    """A job's id keeps its random digits; a token in its place does not stay."""
    assert redact_identifier("job-5d41402abc4b2a76b9719d911017c592") == "job-5d41402abc4b2a76b9719d911017c592"
    assert "AKIA" not in redact_identifier("AKIAIOSFODNN7EXAMPLE")
    assert len(redact_identifier("j" * 1000).encode()) <= 256


@pytest.mark.parametrize(
    "key", ["Authorization", "x-api-key", "X_API_KEY", "user.password", "set-cookie", "trace-bin"]
)
def test_denied_keys(key: str) -> None:
    """Keys are compared without case and separators; binary metadata is always denied."""
    assert is_denied(key)


@pytest.mark.parametrize("key", ["x-tenant", "method", "user-agent"])
def test_allowed_keys(key: str) -> None:
    """An ordinary key is no secret."""
    assert not is_denied(key)


def test_values_are_redacted_inside_structures() -> None:
    """Denied keys and secret values go at every depth; depth and breadth are bounded and marked."""
    deep: dict[str, object] = {"a": {"b": {"c": {"d": {"e": {"f": "x"}}}}}}
    value = redact_value(
        "details",
        {
            "password": "hunter2",
            "nested": [{"token": "abc"}, "mail bob@example.com"],
            "deep": deep,  # type: ignore[dict-item]
            "many": list(range(50)),
            "n": 3,
            "none": None,
        },
    )
    text = json.dumps(value)
    for secret in ("hunter2", "abc", "bob@example.com"):
        assert secret not in text
    assert "[cut:depth]" in text
    assert f"[cut:{50 - MAX_BREADTH}]" in text
    assert '"n": 3' in text


def test_clip_cuts_whole_characters() -> None:
    """A cut never makes invalid UTF-8, and what fits is unchanged."""
    assert clip("abc", 3) == "abc"
    assert clip("ééééé", 8) == "éé…"
    assert clip("\ud800x", 10) == "?x"


@pytest.mark.parametrize(
    "unit", ["a@", "+1 ", "0:", "AB12 ", "password:    ", "bearer ", "1 ", "eyJ.", "-----BEGIN A-----"]
)
def test_hostile_texts_take_bounded_work(unit: str) -> None:
    """A text made to confuse the patterns gives a bounded result (the time is bounded by the input's cap)."""
    assert len(redact_text(unit * 4000).encode()) <= MAX_VALUE_BYTES
