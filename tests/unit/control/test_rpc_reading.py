"""Requests of RPCs from JSON and from queries."""

from __future__ import annotations

from typing import Any

import pytest

from seawall.v1 import admin_alerts_pb2, admin_events_pb2, admin_fleet_pb2, admin_policies_pb2
from seawall_control.api.http.reading import parse_json
from seawall_control.api.http.rpc.reading import MAX_PROBLEMS, fill, from_query
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
    with pytest.raises(InvalidRequest) as raised:
        fill(admin_events_pb2.ListEventsRequest(), value)
    (problem,) = raised.value.problems
    assert problem.field == next(iter(value))


@pytest.mark.parametrize(
    ("message", "value", "field", "words"),
    [
        (
            admin_events_pb2.ListEventsRequest(),
            {"page_size": "abc"},
            "page_size",
            'whole number .* not "abc"',
        ),
        (admin_events_pb2.ListEventsRequest(), {"page_size": 1.5}, "page_size", "whole number .* not 1.5"),
        (admin_events_pb2.ListEventsRequest(), {"page_size": True}, "page_size", "not true"),
        (admin_events_pb2.ListEventsRequest(), {"filter": {}}, "filter", "must be a string, not an object"),
        (admin_events_pb2.ExportEventsRequest(), {"limit": -1}, "limit", "from 0 to 18446744073709551615"),
        (admin_events_pb2.ExportEventsRequest(), {"format": "csv"}, "format", "one of .*EXPORT_FORMAT_CSV"),
        (admin_events_pb2.ResolveEventsRequest(), {"validate_only": "yes"}, "validate_only", "true or false"),
        (admin_events_pb2.ResolveEventsRequest(), {"ids": "a"}, "ids", 'must be a list, not "a"'),
        (admin_events_pb2.ResolveEventsRequest(), {"ids": ["a", 1]}, "ids[1]", "must be a string, not 1"),
        (admin_events_pb2.GetEventTimelineRequest(), {"window": 5}, "window", 'such as "1.5s", not 5'),
        (admin_events_pb2.UpdateEventRequest(), {"event": 5}, "event", "object with fields of ErrorEvent"),
        (admin_events_pb2.UpdateEventRequest(), {"update_mask": 5}, "update_mask", "names of fields"),
        (
            admin_events_pb2.ReportEventsRequest(),
            {"events": [{"attempts": [{"number": "x"}]}]},
            "events[0].attempts[0].number",
            "whole number",
        ),
        (
            admin_events_pb2.ReportEventsRequest(),
            {"events": [{"timestamp": "yesterday"}]},
            "events[0].timestamp",
            "RFC 3339",
        ),
        (
            admin_policies_pb2.ApplyPolicyRequest(),
            {"document": {"policies": {"a": {"timeout": "x"}}}},
            "document.policies['a'].timeout",
            "length of time",
        ),
        (
            admin_policies_pb2.ApplyPolicyRequest(),
            {"document": {"policies": 5}},
            "document.policies",
            "object",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_its_place_and_what_belongs_there(
    message: Any, value: dict[str, Any], field: str, words: str
) -> None:
    """In words of the contract, not of the library that reads it."""
    with pytest.raises(InvalidRequest, match=words) as raised:
        fill(message, value)
    (problem,) = raised.value.problems
    assert (problem.field, problem.code) == (field, "WRONG_TYPE")


def test_what_proto3_json_allows_is_taken() -> None:
    """Numbers as text, whole numbers as fractions, null for nothing, enumerations by number."""
    message: Any = admin_events_pb2.ExportEventsRequest()
    fill(message, {"limit": "7", "format": 2, "filter": None})
    assert (message.limit, message.format) == (7, admin_events_pb2.EXPORT_FORMAT_CSV)
    listed: Any = admin_events_pb2.ListEventsRequest()
    fill(listed, {"pageSize": 7.0})
    assert listed.page_size == 7


@pytest.mark.parametrize("raw", [b"\xff\xfe{", b'{"filter": "\xff"}', '{"filter": "a"}'.encode("utf-16")])
def test_a_body_in_another_encoding_is_called_that(raw: bytes) -> None:
    """JSON is UTF-8; what looks like UTF-16 was guessed at."""
    with pytest.raises(InvalidRequest, match=r"not UTF-8: byte 0xf[ef] at"):
        parse_json(raw)


@pytest.mark.parametrize("raw", [b'{"filter":' * 5000, b'{"filter":' + b"[" * 100_000])
def test_a_body_that_is_nested_too_deep_is_called_that(raw: bytes) -> None:
    """Python's limits are none of the caller's business."""
    with pytest.raises(InvalidRequest, match="nested more than 100 deep"):
        parse_json(raw)


@pytest.mark.parametrize(
    "raw", [b'{"a": "' + b"[" * 500 + b'"', b'{"a": ' + b"[]" * 500, b"[" * 100, b'{"a": "\\"[[[[']
)
def test_what_is_broken_and_not_deep_is_called_broken(raw: bytes) -> None:
    """Brackets in a text, or beside each other, are no depth."""
    with pytest.raises(InvalidRequest, match="is not JSON"):
        parse_json(raw)


def test_what_only_the_reader_finds_is_said_once_and_with_its_place() -> None:
    """json_format repeats every field on the way."""
    with pytest.raises(InvalidRequest) as raised:
        fill(admin_events_pb2.ReportEventsRequest(), {"events": [{"message": "a\ud800"}]})
    assert str(raised.value) == "the request cannot be read: events[0].message: Unpaired surrogate"
    assert [(p.field, p.message) for p in raised.value.problems] == [
        ("events[0].message", "Unpaired surrogate")
    ]


@pytest.mark.parametrize("value", ["nan", "NaN", "Infinity", "-Infinity", float("inf"), "1e400"])
def test_what_is_no_number_is_refused_where_a_number_belongs(value: object) -> None:
    """A threshold of NaN would never be reached, and never be seen to be wrong."""
    with pytest.raises(InvalidRequest, match="error_rate: must be a number"):
        fill(admin_alerts_pb2.Thresholds(), {"error_rate": value})
