"""What is stored of alerts is read back as it was, also by a version that knows less or more of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall_control.domain.alerts import codec
from seawall_control.domain.alerts.channels import HIDDEN, Channel, ChannelKind, hidden, with_secrets_of
from seawall_control.domain.alerts.lifecycle import Alert
from seawall_control.domain.alerts.outbox import Delivery
from seawall_control.domain.alerts.rules import Rule
from seawall_control.domain.alerts.silences import Silence

JSON = st.dictionaries(st.text(max_size=5), st.one_of(st.text(max_size=5), st.integers(), st.booleans()))
READERS: dict[type, Callable[[str], Any]] = {
    Rule: codec.rule_of,
    Silence: codec.silence_of,
    Channel: codec.channel_of,
    Alert: codec.alert_of,
    Delivery: codec.delivery_of,
}


def values() -> st.SearchStrategy[Any]:
    """Return a strategy of everything that is stored."""
    kinds: list[st.SearchStrategy[Any]] = [st.builds(kind) for kind in (Rule, Silence, Channel, Alert)]
    return st.one_of(*kinds, st.builds(Delivery, body=JSON))


@given(values())
def test_what_is_written_is_read(value: Any) -> None:
    """Every value survives."""
    text = codec.to_text(value)
    read = READERS[type(value)](text)
    assert codec.to_text(read) == text  # numbers that are none equal nothing, and their text does
    more = {**json.loads(text), "of_a_newer_version": [1, {"x": 2}]}
    assert codec.to_text(READERS[type(value)](json.dumps(more))) == text


def test_what_is_missing() -> None:
    """Fields without a default must be there; the others have theirs."""
    assert codec.rule_of('{"name": "x"}') == Rule(name="x")
    for text in ('{"title": "x"}', "[]"):
        with pytest.raises((ValueError, TypeError)):
            codec.rule_of(text)


@given(st.builds(Channel, url=st.text(), secret=st.text(), previous_secret=st.text(), password=st.text()))
def test_secrets(channel: Channel) -> None:
    """What is shown holds no secret, and applying it changes none."""
    shown = hidden(channel)
    secret = {channel.secret, channel.previous_secret, channel.password}
    secret |= set() if channel.kind is ChannelKind.WEBHOOK else {channel.url}
    assert {shown.secret, shown.previous_secret, shown.password} <= {"", HIDDEN}
    assert channel.kind is ChannelKind.WEBHOOK or shown.url in ("", HIDDEN)
    if HIDDEN not in secret | {channel.url}:
        assert codec.to_text(with_secrets_of(shown, channel)) == codec.to_text(channel)
    assert with_secrets_of(shown, None).secret == ""


def test_a_password_goes_to_the_server_it_was_given_for() -> None:
    """Naming another server and keeping the password would send it there, and so show it."""
    before = Channel(name="m", kind=ChannelKind.EMAIL, host="mail.a", port=587, user="u", password="geheim")
    for there in ({"host": "mail.b"}, {"port": 2525}):
        assert with_secrets_of(replace(hidden(before), **there), before).password == ""
    moved = replace(hidden(before), user="v", recipients=("a@b.example",))
    assert with_secrets_of(moved, before).password == "geheim"
