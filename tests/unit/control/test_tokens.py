"""Secrets of tokens, and what is kept of them."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall_control.domain import tokens
from seawall_control.domain.access import Role
from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.redaction import redact_text
from seawall_proxy.telemetry.redact import redact_text as proxy_redact_text

ONES = b"\xff" * 32


@given(st.binary(min_size=32, max_size=32))
def test_a_secret_is_well_formed_and_its_own(random: bytes) -> None:
    """Whatever the bytes, the length is the same; another byte is another secret."""
    secret = tokens.secret_of("sw_", random)
    assert len(secret) == 52
    assert tokens.is_well_formed("sw_", secret)
    assert not tokens.is_well_formed("swe_", secret)
    other = bytes([random[0] ^ 1]) + random[1:]
    assert tokens.secret_of("sw_", other) != secret


@pytest.mark.parametrize("random", [b"", b"\0" * 31, b"\0" * 33])
def test_a_secret_takes_256_bits(random: bytes) -> None:
    """No fewer, no more."""
    with pytest.raises(ValueError, match="32 random bytes"):
        tokens.secret_of("sw_", random)


def test_a_mistyped_secret_is_told() -> None:
    """One character that is another, or missing, or one too many."""
    secret = tokens.secret_of("sw_", ONES)
    for place in range(3, len(secret)):
        wrong = "a" if secret[place] != "a" else "b"
        assert not tokens.is_well_formed("sw_", secret[:place] + wrong + secret[place + 1 :])
    for damaged in (secret[:-1], secret + "a", secret.replace("sw_", "sx_"), "", "sw_", secret[:-1] + "é"):
        assert not tokens.is_well_formed("sw_", damaged)


def test_a_document_holds_no_secret_and_comes_back() -> None:
    """What is stored is a hash; what is read is what was stored."""
    secret = tokens.secret_of("sw_", os.urandom(32))
    token = tokens.Token(
        name="ci",
        digest=tokens.hashed(secret),
        roles=frozenset({Role.OPERATOR, Role.REPORTER}),
        created_us=5,
        created_by="alice",
        expires_us=9,
        last_used_us=7,
    )
    body = tokens.encoded(token)
    assert secret not in body
    assert tokens.decoded("ci", body) == token
    assert not token.expired(8)
    assert token.expired(9)


def test_a_token_of_before_is_its_makers() -> None:
    """Nobody said whose it is, so it makes nobody a second person; large letters make no other one either."""
    made = tokens.Token(
        name="a",
        digest="0" * 64,
        roles=frozenset({Role.EDITOR}),
        created_us=1,
        created_by="root",
        owner="ann",
    )
    body = json.loads(tokens.encoded(made))
    assert tokens.decoded("a", json.dumps(body)).owner == "ann"
    del body["owner"]
    assert tokens.decoded("a", json.dumps(body)).owner == "root"
    assert tokens.checked_owner("Ann@Example.com") == "ann@example.com"
    for bad in ("", "a b", "-ann", "x" * 129):
        with pytest.raises(InvalidRequest):
            tokens.checked_owner(bad)


def test_a_role_of_a_newer_version_is_not_granted() -> None:
    """A token that another version made keeps the roles that this one knows."""
    token = tokens.Token(
        name="a", digest="0" * 64, roles=frozenset({Role.VIEWER}), created_us=1, created_by=""
    )
    body = tokens.encoded(token).replace('["viewer"]', '["viewer","emperor"]')
    assert tokens.decoded("a", body).roles == {Role.VIEWER}


@pytest.mark.parametrize("name", ["", "-a", "a" * 129, "a b", "/a", "ä", "a\0"])
def test_names_that_no_token_has(name: str) -> None:
    """They would not fit a table, a path or a log line."""
    with pytest.raises(InvalidRequest):
        tokens.checked_name(name)


@pytest.mark.parametrize(
    "roles", [set(), {Role.NONE}, {Role.ENROLLEE}, {Role.PROXY, Role.ADMIN}, {Role.VIEWER, Role.ENROLLEE}]
)
def test_roles_that_no_token_has(roles: set[Role]) -> None:
    """None, one that is not given, or a proxy that is a person too."""
    with pytest.raises(InvalidRequest):
        tokens.checked_roles(roles)


@pytest.mark.parametrize("prefix", ["sw_", "swe_"])
def test_both_planes_take_a_token_out_of_text(prefix: str) -> None:
    """A token that got into a message goes into no event and no log."""
    secret = tokens.secret_of(prefix, os.urandom(32))
    for text in (f"GET /x with {secret} failed", f"x={secret}"):
        assert secret not in redact_text(text)
        assert secret not in proxy_redact_text(text)


def test_an_operator_of_before_is_an_editor_too() -> None:
    """When its token was made an operator changed policies; a new one does not."""
    made = tokens.Token(
        name="a", digest="d" * 64, roles=frozenset({Role.OPERATOR}), created_us=1, created_by="b"
    )
    body = tokens.encoded(made)
    assert tokens.decoded("a", body) == made
    value = json.loads(body)
    del value["format"]
    old = tokens.decoded("a", json.dumps(value))
    assert old.roles == {Role.OPERATOR, Role.EDITOR}
    assert tokens.decoded("a", tokens.encoded(old)) == old
    value["roles"] = ["viewer"]
    assert tokens.decoded("a", json.dumps(value)).roles == {Role.VIEWER}
