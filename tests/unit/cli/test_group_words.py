"""Where a group stands, in words."""

from __future__ import annotations

import pytest

from seawall.cli.commands.groups import stands


@pytest.mark.parametrize(
    ("muted", "assignee", "said"),
    [
        (None, "", "new"),
        (None, "ann", "new, assigned to ann"),
        ("escalating", "", "muted until it escalates"),
        ("forever", "", "muted for ever"),
        (1000, "ann", "muted for 1,000 more events, assigned to ann"),
        ("2026-11-01T00:00:00.000Z", "", "muted until 2026-11-01T00:00:00.000Z"),
    ],
)
def test_it_says_what_was_done(muted: str | int | None, assignee: str, said: str) -> None:
    """A group that was muted was called archived, and one that was assigned was new."""
    state = "new" if muted is None else "archived"
    assert stands({"state": state, "muted_until": muted, "assignee": assignee}) == said
