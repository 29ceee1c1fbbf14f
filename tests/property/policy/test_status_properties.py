"""Status text there and back."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from seawall_policy import status


@given(text=st.text())
def test_message_survives_the_wire(text: str) -> None:
    """Any Unicode text, in bytes that a header may carry, without a space at an end."""
    wire = status.percent_encode(text)
    assert re.fullmatch(rb"[\x20-\x7e]*", wire)
    assert wire == wire.strip()
    assert status.percent_decode(wire) == text


@given(wire=st.binary() | st.from_regex(rb"\A(%[0-9a-fA-FgG]{0,2}|a| )*\Z"))
def test_any_bytes_are_readable_as_a_message(wire: bytes) -> None:
    """Never an exception; without a valid escape the bytes themselves are what is read."""
    text = status.percent_decode(wire)
    if not re.search(rb"%[0-9a-fA-F]{2}", wire):
        assert text == wire.decode("utf-8", "replace")


@given(value=st.binary(max_size=12) | st.integers(-5, 2**33).map(lambda n: str(n).encode()))
def test_status_text_is_a_code_or_unknown(value: bytes) -> None:
    """Only what reads as 0 to 16 is that code."""
    code = status.parse_grpc_status(value)
    if re.fullmatch(rb"[0-9]{1,10}", value) and int(value) <= status.MAX_CODE:
        assert code == int(value)
    else:
        assert code == status.UNKNOWN
