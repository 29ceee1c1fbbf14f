"""Requests of RPCs from JSON and from queries."""

from __future__ import annotations

from typing import Any

import pytest

from seawall.v1 import admin_events_pb2, admin_fleet_pb2, admin_policies_pb2
from seawall_control.api.http.rpc.reading import MAX_PROBLEMS, fill, from_query, parse_json
from seawall_control.domain.errors import InvalidRequest


def asked(message: Any, *pairs: tuple[str, str]) -> Any:
    """Return the message of a query."""
    fill(message, from_query(message.DESCRIPTOR, pairs))
    return message


def test_a_query_fills_scalars_lists_times_and_fields_of_fields() -> None:
    """Numbers and switches are text in a query; lists repeat; a dot goes into a message."""
    listed = asked(admin_events_pb2.ListEventsRequest(), ("filter", "code = A"), ("pageSize", "7"))
    assert (listed.filter, listed.page_size) == ("code = A", 7)
    resolved = asked(
        admin_events_pb2.ResolveEventsRequest(), ("ids", "a"), ("ids", "b"), ("validate_only", "true")
    )
    assert (list(resolved.ids), resolved.validate_only) == (["a", "b"], True)
    stats = asked(admin_fleet_pb2.ListRouteStatsRequest(), ("window", "90s"))
    assert stats.window.seconds == 90
    update = asked(
        admin_events_pb2.UpdateEventRequest(), ("event.id", "x"), ("update_mask", "resolved,jobId")
    )
    assert (update.event.id, list(update.update_mask.paths)) == ("x", ["resolved", "job_id"])


@pytest.mark.parametrize(
    ("message", "pairs", "words"),
    [
        (admin_events_pb2.ListEventsRequest(), [("fliter", "x")], "known are filter"),
        (admin_events_pb2.ListEventsRequest(), [("filter.x", "x")], "no parameter 'filter.x'"),
        (admin_events_pb2.ListEventsRequest(), [("filter", "a"), ("filter", "b")], "once"),
        (admin_events_pb2.ListEventsRequest(), [("page_size", "1.5")], "page_size"),
        (admin_events_pb2.ResolveEventsRequest(), [("validate_only", "1")], "true or false"),
        (admin_events_pb2.UpdateEventRequest(), [("event", "{}")], "is a message"),
        (admin_fleet_pb2.ListRouteStatsRequest(), [("window.seconds", "1")], "no parameter"),
        (admin_policies_pb2.ApplyPolicyRequest(), [("document.routes.name", "x")], "no parameter"),
        (admin_policies_pb2.ApplyPolicyRequest(), [("document.policies.x", "x")], "no parameter"),
    ],
)
def test_queries_that_are_refused(message: Any, pairs: list[tuple[str, str]], words: str) -> None:
    """A parameter that is unknown, wrong or of no form is told by its name."""
    with pytest.raises(InvalidRequest, match=words.replace(".", r"\.")):
        asked(message, *pairs)


def test_a_map_and_a_struct_are_looked_into_as_far_as_they_have_fields() -> None:
    """A policy's name is any text, what stands under it has fields; a struct has any."""
    body = {"document": {"policies": {"any name": {"timeot": "1s"}}, "routes": [{"nam": "x"}]}}
    with pytest.raises(InvalidRequest) as raised:
        fill(admin_policies_pb2.ApplyPolicyRequest(), body)
    assert [p.field for p in raised.value.problems] == [
        "document.policies['any name'].timeot",
        "document.routes[0].nam",
    ]
    request: Any = admin_events_pb2.ReportEventsRequest()
    fill(request, {"events": [{"details": {"any": {"thing": [1]}}}]})
    assert request.events[0].details["any"]["thing"][0] == 1


def test_problems_are_bounded() -> None:
    """A body of nothing but mistakes is not answered with as many sentences."""
    with pytest.raises(InvalidRequest) as raised:
        fill(admin_events_pb2.ListEventsRequest(), {f"x{n}": 1 for n in range(1000)})
    assert len(raised.value.problems) == MAX_PROBLEMS
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize("raw", [b'"x"', b"[1]", b"{]", b"\xff", b'{"a": Infinity}', b'{"a":{"b":1,"b":2}}'])
def test_bodies_that_are_no_json_object(raw: bytes) -> None:
    """Refused, with a reason."""
    with pytest.raises(InvalidRequest):
        parse_json(raw)


def test_an_empty_body_is_an_empty_request() -> None:
    """Most requests have no required field."""
    assert parse_json(b"") == {}


@pytest.mark.parametrize(
    "value", [{"page_size": {}}, {"filter": 1}, {"page_size": 2**40}, {"page_size": "x"}, {"filter": [[]]}]
)
def test_values_that_do_not_fit(value: dict[str, Any]) -> None:
    """Whatever json_format raises is a wrong request, never our fault."""
    with pytest.raises(InvalidRequest, match="cannot be read"):
        fill(admin_events_pb2.ListEventsRequest(), value)
