"""Label selectors: what they match, and what they refuse to mean."""

from __future__ import annotations

import pytest

from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.selectors import parse_selector

LABELS = {"env": "prod", "zone": "a", "canary": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("env=prod", True),
        ("env==prod", True),
        ("env = prod , zone=a", True),
        ("env=prod,zone=b", False),
        ("env!=prod", False),
        ("tier!=web", True),
        ("canary", True),
        ("!canary", False),
        ("! old", True),
        ("zone in (a, b)", True),
        ("zone in (b,c)", False),
        ("zone notin (b,c), env=prod", True),
        ("tier notin (b)", True),
        ("canary=", True),
    ],
)
def test_what_a_selector_matches(text: str, expected: bool) -> None:
    """As in Kubernetes: commas mean and, a missing label is unequal to everything."""
    assert parse_selector(text).matches(LABELS) is expected


@pytest.mark.parametrize(
    "text", ["env=", "=prod", "a b", "zone in a", "zone in (a", ",", "a=b,,c=d", "a=b=c"]
)
def test_what_is_no_selector(text: str) -> None:
    """The message names the part that is wrong and the ways to write it."""
    if text == "env=":
        assert parse_selector(text).matches({"env": ""})
        return
    with pytest.raises(InvalidRequest, match="is no condition; write `key=value`"):
        parse_selector(text, field="stages[0].selector")


def test_selectors_are_bounded() -> None:
    """Nobody makes the control plane read a book."""
    with pytest.raises(InvalidRequest, match="at most 1024"):
        parse_selector("a" * 2000)
    with pytest.raises(InvalidRequest, match="at most 32"):
        parse_selector(",".join(f"k{n}" for n in range(40)))
