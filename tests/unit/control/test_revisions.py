"""Revisions: what a change makes of the newest one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall_control.domain.errors import EtagMismatch, InvalidRequest
from seawall_control.domain.fleet import ProxyRecord, Standing, is_drifted, standing
from seawall_control.domain.revisions import (
    Applied,
    Draft,
    Revision,
    checked_request_id,
    next_revision,
    policy_set_name,
)


def draft(hash_: str, *, etag: str = "") -> Draft:
    """Return a draft."""
    return Draft(policy_set="default", hash=hash_, document=b"d", create_time_us=1, etag=etag)


def made(applied: Applied) -> Revision:
    """Return the revision that was made."""
    return applied.revision


def test_revisions_count_from_one() -> None:
    """The first is 1, each next one higher, and unchanged content makes none."""
    first = next_revision(None, draft("a"))
    second = next_revision(made(first), draft("b"))
    assert (made(first).revision, made(second).revision, second.changed) == (1, 2, True)
    assert next_revision(made(second), draft("b")) == Applied(made(second), changed=False)


def test_numbers_go_on_above_what_proxies_have_had() -> None:
    """A store that was restored does not know those numbers; its content gets one above them, also when it is
    the newest already.
    """
    first = made(next_revision(None, draft("a")))
    again = next_revision(first, replace(draft("a"), above=7))
    assert (again.changed, made(again).revision) == (True, 8)
    assert made(next_revision(first, replace(draft("b"), above=7))).revision == 8
    assert made(next_revision(None, replace(draft("a"), above=7))).revision == 8
    assert not next_revision(made(again), replace(draft("a"), above=8)).changed
    assert made(next_revision(made(again), replace(draft("b"), above=3))).revision == 9


def test_etag_must_be_the_newest_hash() -> None:
    """A stale etag is a conflict, also for unchanged content and for an empty set."""
    first = made(next_revision(None, draft("a")))
    assert next_revision(first, draft("b", etag="a")).changed
    for latest, change in (
        (first, draft("b", etag="z")),
        (first, draft("a", etag="z")),
        (None, draft("a", etag="z")),
    ):
        with pytest.raises(EtagMismatch):
            next_revision(latest, change)


@pytest.mark.parametrize("bad", ["a b", "ü", "x" * 129, "a\n"])
def test_names_are_checked(bad: str) -> None:
    """Names of sets have letters, digits and a few signs."""
    assert policy_set_name("") == "default"
    with pytest.raises(InvalidRequest):
        policy_set_name(bad)


def test_request_ids_are_uuids() -> None:
    """A request id is a UUID or absent."""
    assert checked_request_id("") == ""
    assert (
        checked_request_id("0190F5E2-7C3B-7A51-9D3C-1F0A2B3C4D5E") == "0190f5e2-7c3b-7a51-9d3c-1f0a2b3c4d5e"
    )
    with pytest.raises(InvalidRequest):
        checked_request_id("once")


@pytest.mark.parametrize(
    ("connected", "applied", "refused", "expected"),
    [
        (False, "n", (), Standing.DISCONNECTED),
        (True, "n", (), Standing.APPLIED),
        (True, "o", (), Standing.PENDING),
        (True, "o", ("n",), Standing.REJECTED),
        (True, "o", ("other",), Standing.PENDING),
    ],
)
def test_standing_in_a_rollout(
    connected: bool, applied: str, refused: tuple[str, ...], expected: Standing
) -> None:
    """Where a proxy stands follows from what it has, what it refused and whether it is there."""
    proxy = ProxyRecord(node="p", labels={}, policy_set="default", applied_hash=applied, refused=refused)
    assert standing(proxy, connected=connected, wanted_hash="n") is expected
    assert is_drifted(proxy, "n") is (applied != "n")
    assert not is_drifted(proxy, "")
