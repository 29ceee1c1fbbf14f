"""What answers are known by."""

from __future__ import annotations

import pytest

from seawall_policy.kept_answer import KeptAnswer, content, first_message_end, identity, optional


def test_lists_that_differ_have_different_identities() -> None:
    """Where one value ends and the next begins is part of it, and so is whether there is one."""
    lists = [
        [],
        [b""],
        [b"", b""],
        [b"ab"],
        [b"a", b"b"],
        [b"", b"ab"],
        [b"ab", b""],
        [optional(None)],
        [optional(b"")],
        [optional(b"\x00")],
        [optional(b"\x01")],
    ]
    assert len({identity(parts) for parts in lists}) == len(lists)


@pytest.mark.parametrize("pieces", [[b"abc"], [b"a", b"bc"], [b"", b"ab", b"c"]])
def test_content_is_the_same_however_it_was_cut(pieces: list[bytes]) -> None:
    """The bytes count."""
    assert content(pieces) == content([b"abc"])
    assert content([*pieces, b"d"]) != content([b"abc"])


def test_where_a_message_ends() -> None:
    """Behind its prefix of five bytes and its length."""
    assert [first_message_end(b"\0\0\0\0\x07"[:n]) for n in range(6)] == [0, 0, 0, 0, 0, 12]
    assert first_message_end(b"\x01\x00\x01\x00\x00rest") == 5 + 65_536


def test_everything_of_an_answer_counts() -> None:
    """Body, metadata and trailers; with no way to be free."""
    empty = KeptAnswer(0, (), b"", ()).size
    assert empty > 0
    assert KeptAnswer(0, (), b"x" * 10, ()).size == empty + 10
    field = ((b"name", b"value"),)
    assert KeptAnswer(0, field, b"", ()).size == KeptAnswer(0, (), b"", field).size > empty + 9
