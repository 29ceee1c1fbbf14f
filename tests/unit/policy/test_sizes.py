"""How an amount of memory is spelled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall_policy.sizes import format_size, parse_size


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("0", 0),
        ("65536", 65536),
        ("64KiB", 65536),
        ("10 MiB", 10 << 20),
        ("1GiB", 1 << 30),
        ("5B", 5),
        ("10MB", 10**7),
    ],
)
def test_spellings(text: str, octets: int) -> None:
    """Bytes may be bare; units are the IEC's and the SI's."""
    assert parse_size(text) == octets


@pytest.mark.parametrize(
    "text", ["", "-1", "64K", "1.5MiB", "kib", "64kib", "10 M", "1" * 13, "٣KiB", "1KiB "]
)
def test_refused(text: str) -> None:
    """What could be meant in two ways, and what is no size, is refused."""
    with pytest.raises(ValueError, match=r"is not a size|no known unit"):
        parse_size(text)


@given(st.integers(0, 2**32 - 1))
def test_round_trip(octets: int) -> None:
    """What is shown reads as what was meant."""
    assert parse_size(format_size(octets)) == octets
