"""Page tokens: they come back as they went, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from seawall_control.domain.errors import InvalidPageToken, InvalidRequest
from seawall_control.domain.paging import decode, encode, page_size

POSITIONS = st.lists(st.integers(-(2**62), 2**62) | st.text(max_size=20), min_size=1, max_size=3).map(tuple)
SCOPES = st.lists(st.text(max_size=10), max_size=3).map(tuple)


@given(POSITIONS, SCOPES)
def test_token_comes_back_as_its_position(position: tuple[int | str, ...], scope: tuple[str, ...]) -> None:
    """Decoding is the inverse of encoding within one list."""
    assert decode(encode(position, scope), scope) == position


@given(POSITIONS, SCOPES, SCOPES)
def test_token_of_another_list_is_refused(
    position: tuple[int | str, ...], scope: tuple[str, ...], other: tuple[str, ...]
) -> None:
    """A token is bound to filter and order, and says so."""
    assume(scope != other)
    with pytest.raises(InvalidPageToken, match="belongs to another"):
        decode(encode(position, scope), other)


@given(POSITIONS, SCOPES, st.integers(0, 10**6), st.characters())
def test_damaged_token_is_refused(
    position: tuple[int | str, ...], scope: tuple[str, ...], at: int, sign: str
) -> None:
    """No changed character leads to another position."""
    token = encode(position, scope)
    at %= len(token)
    changed = token[:at] + sign + token[at + 1 :]
    try:
        assert decode(changed, scope) == position
    except InvalidPageToken as error:
        assert "page_token" in str(error)  # noqa: PT017 - the same position is as good an answer


@given(st.text(max_size=100))
def test_any_text_is_a_token_or_an_error(text: str) -> None:
    """Whatever comes, the answer is an error that says what to do."""
    with pytest.raises(InvalidPageToken):
        decode(text, ("x",))


@given(st.integers(-5, 5000))
def test_page_sizes(asked: int) -> None:
    """Negative is an error, 0 the default, too many the most."""
    if asked < 0:
        with pytest.raises(InvalidRequest):
            page_size(asked, default=50, most=1000)
    else:
        assert page_size(asked, default=50, most=1000) == (50 if asked == 0 else min(asked, 1000))
