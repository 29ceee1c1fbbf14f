"""Grouping of errors."""

from __future__ import annotations

import pytest

from seawall_policy.fingerprint import MAX_INPUT, MAX_NORMALISED, fingerprint_v1, normalise_v1


@pytest.mark.parametrize(
    ("message", "normalised"),
    [
        ("", ""),
        ("no variable part", "no variable part"),
        ("order 4711 failed after 1.25 s", "order <num> failed after <num> s"),
        ("took 30ms, 3 of 5", "took <num>ms, <num> of <num>"),
        ("version 1.2.3", "version <num>"),
        ("host2 is down", "host<num> is down"),
        ("id 550e8400-e29b-41d4-a716-446655440000 gone", "id <uuid> gone"),
        ("ID 550E8400-E29B-41D4-A716-446655440000 gone", "ID <uuid> gone"),
        ("dial tcp 10.0.0.7:50051: refused", "dial tcp <addr>: refused"),
        ("from 192.168.1.1 to 8.8.8.8", "from <addr> to <addr>"),
        ("connect [2001:db8::1]:443 failed", "connect <addr> failed"),
        ("peer fe80::1ff:fe23:4567:890a left", "peer <addr> left"),
        ("peer 2001:0db8:85a3:0000:0000:8a2e:0370:7334 left", "peer <addr> left"),
        ("localhost ::1 refused", "localhost <addr> refused"),
        ("at 0xDEADbeef", "at <num>"),
        ("commit 9fceb02d0ae598e9", "commit <num>"),
        ("commit a1b2c3d", "commit <num>"),
        ("commit 1234567", "commit <num>"),
        ("at 10:15:30 add:3", "at <num>:<num>:<num> add:<num>"),
        ("Foo::bar of ns::add", "Foo::bar of ns::add"),
        ("facade and decade", "facade and decade"),
        ("deadbeef has no digit", "deadbeef has no digit"),
        ('key "user:17" missing', "key <string> missing"),
        ("key 'a b' missing", "key <string> missing"),
        ("key `a b` missing", "key <string> missing"),
        ("can't open file 'x'", "can't open file <string>"),
        ('an unclosed "quote', 'an unclosed "quote'),
        ("  much \t white\n space ", "much white space"),
        ("Größe 12 überschritten", "Größe <num> überschritten"),
    ],
)
def test_variable_parts_become_placeholders(message: str, normalised: str) -> None:
    """What identifies one occurrence goes, what identifies the error stays."""
    assert normalise_v1(message) == normalised


def test_messages_that_differ_in_variable_parts_only_are_one_group() -> None:
    """The rest of the event being equal."""
    one = fingerprint_v1("r", "/s/M", "UNAVAILABLE", "", "connect", "dial 10.0.0.1:80: refused (try 3)")
    other = fingerprint_v1("r", "/s/M", "UNAVAILABLE", "", "connect", "dial 10.9.8.77:8080: refused (try 12)")
    assert one == other


def test_reason_counts_instead_of_the_message() -> None:
    """ErrorInfo is made for grouping, messages are made for people."""
    one = fingerprint_v1("r", "/s/M", "UNAVAILABLE", "shop/OUT_OF_STOCK", "local", "apples")
    other = fingerprint_v1("r", "/s/M", "UNAVAILABLE", "shop/OUT_OF_STOCK", "local", "pears")
    assert one == other
    assert one != fingerprint_v1("r", "/s/M", "UNAVAILABLE", "shop/CLOSED", "local", "apples")


def test_every_field_makes_a_difference() -> None:
    """And none can pass for a part of its neighbour."""
    base = ("route", "/shop.v1.Cart/Add", "INTERNAL", "", "headers", "boom")
    seen = {fingerprint_v1(*base)}
    for i in range(len(base)):
        if i != 3:
            changed = list(base)
            changed[i] += "x"
            seen.add(fingerprint_v1(*changed))
    assert len(seen) == 6
    assert fingerprint_v1("ab", "c", "", "", "", "") != fingerprint_v1("a", "bc", "", "", "", "")
    assert fingerprint_v1("", "", "", "r", "", "m") != fingerprint_v1("", "", "", "", "", "r")


def test_version_one_never_changes() -> None:
    """Stored groups keep the version they were made with: a changed rule is a new function."""
    made = fingerprint_v1(
        "checkout",
        "/shop.v1.Checkout/PlaceOrder",
        "UNAVAILABLE",
        "",
        "connect",
        "dial 10.0.0.7:50051: refused",
    )
    assert made == "0a494b4125fb7670b633edfb651f469a"
    assert len(made) == 32 and int(made, 16) >= 0


def test_work_on_a_huge_message_is_bounded() -> None:
    """Only the beginning is looked at, and less than that is kept."""
    beginning = "word " * (MAX_INPUT // 5 + 1)
    assert normalise_v1(beginning[:MAX_INPUT] + "'" * 10_000_000) == normalise_v1(beginning[:MAX_INPUT])
    assert len(normalise_v1(beginning)) <= MAX_NORMALISED


def test_long_number_early_on_does_not_shift_the_cut() -> None:
    """Two messages that differ in the length of a number are one group however long they are."""
    tail = " and then a very long explanation" * 100
    assert normalise_v1("id 7" + tail) == normalise_v1("id 7777777777777" + tail)


def test_text_that_is_no_unicode_still_gets_a_fingerprint() -> None:
    """A lone surrogate is not encodable, and is no reason to fail."""
    assert len(fingerprint_v1("r", "m", "INTERNAL", "", "local", "\ud800")) == 32
