"""Normalisation of any text."""

from __future__ import annotations

import ipaddress
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall_policy.fingerprint import MAX_NORMALISED, fingerprint_v1, normalise_v1

HOSTILE = st.text(alphabet="\"'` 0123456789abcdefx:.-[]%", max_size=200)


@pytest.mark.slow
@given(message=st.text(max_size=300) | HOSTILE)
def test_normalising_never_fails_and_is_bounded(message: str) -> None:
    """Any text, any mixture of the characters that the patterns start with."""
    text = normalise_v1(message)
    assert len(text) <= MAX_NORMALISED
    assert len(fingerprint_v1("r", "m", "INTERNAL", "", "local", message)) == 32


@given(number=st.integers(0, 10**30), other=st.integers(0, 10**30))
def test_numbers_do_not_matter(number: int, other: int) -> None:
    """Of any length, decimal, hexadecimal or with a unit."""
    assert normalise_v1(f"took {number}ms") == normalise_v1(f"took {other}ms")
    assert normalise_v1(f"object {number:#x} lost") == normalise_v1(f"object {other:#x} lost")
    assert normalise_v1(f"{number}.{other}") == "<num>"


@given(uuid=st.uuids(), v4=st.ip_addresses(v=4), v6=st.ip_addresses(v=6), port=st.integers(1, 65535))
def test_ids_and_addresses_do_not_matter(
    uuid: UUID, v4: ipaddress.IPv4Address, v6: ipaddress.IPv6Address, port: int
) -> None:
    """Whatever they are."""
    assert normalise_v1(f"id {uuid} gone") == "id <uuid> gone"
    assert normalise_v1(f"dial {v4}:{port}: refused") == "dial <addr>: refused"
    assert normalise_v1(f"dial [{v6}]:{port}: refused") == "dial <addr>: refused"
    assert normalise_v1(f"peer {v6} left") == "peer <addr> left"
