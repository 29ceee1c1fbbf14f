"""The filter of `GET /api/v1/errors`, from its parameters."""

from __future__ import annotations

import pytest
from starlette.datastructures import QueryParams

from seawall_control.api.http.events import filter_of


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({}, ""),
        ({"filter": "  "}, ""),
        ({"filter": "nope = 1"}, "nope = 1"),
        ({"severity": "HIGH", "route": 'a"b'}, r'severity = "HIGH" AND route = "a\"b"'),
        ({"filter": "code = A OR code = B", "route": "r"}, '(code = A OR code = B) AND route = "r"'),
    ],
)
def test_a_filter_alone_is_left_as_it_is(query: dict[str, str], text: str) -> None:
    """Positions in messages are those of what was written; beside other parameters it is one term."""
    assert filter_of(QueryParams(query)) == text
