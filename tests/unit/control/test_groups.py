"""The states of a group, one change at a time."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from seawall_control.domain import group_changes as by_hand
from seawall_control.domain import groups as g
from seawall_control.domain.errors import InvalidRequest, PreconditionFailed
from seawall_control.domain.escalation import HOUR_US
from seawall_control.domain.events import Event, Severity
from seawall_control.domain.flood import Sifted
from seawall_control.domain.taking import arrivals_of

AT_US = 500_000 * HOUR_US


def event(number: int, at_us: int = AT_US, revision: int = 0) -> Event:
    """Return an event."""
    return Event(
        id=str(number), timestamp_us=at_us, severity=Severity.LOW, component="c", policy_revision=revision
    )


def arrive(group: g.Group | None, *events: Event, at_us: int = AT_US) -> g.Taken:
    """Let events of one group arrive."""
    pairs = [("v1:a", one) for one in events]
    arrival = arrivals_of(pairs, Sifted(frozenset(one.id for one in events)))["v1:a"]
    return g.taken(group, "v1:a", arrival, at_us=at_us, history=())


def new() -> g.Group:
    """Return a group with one event."""
    return arrive(None, event(1)).group


def test_new_group_is_ongoing_after_a_week() -> None:
    """By time alone, with a note and without a word to others."""
    group = new()
    assert g.aged(group, at_us=AT_US + g.WEEK_US - 1) == (group, ())
    after, changes = g.aged(group, at_us=AT_US + g.WEEK_US)
    assert (after.state, after.due_us, changes) == (g.GroupState.ONGOING, 0, ())
    assert [one.what for one in after.activity] == ["new", "ongoing"]


def test_arrival_leaves_what_is_not_its_business() -> None:
    """A muted group counts on; who it belongs to, why it is one, and what was done to it stay."""
    muted = replace(
        by_hand.archived(new(), g.Until.FOREVER, 0, at_us=AT_US, actor="ann"),
        assignee="bob",
        due_us=7,
        version=9,
        resolved_revision=3,
        parts={"algorithm": "v1"},
        counted=2,
    )
    came = replace(
        event(2, AT_US + 5), route="r", method="m", code="c", error_type="t", reason="why", message="text"
    )
    after = arrive(muted, came, at_us=AT_US + 5).group
    assert (after.events, after.last_seen_us, after.hour_events) == (2, AT_US + 5, 2)
    texts = ("route", "method", "code", "error_type", "reason", "message")
    its_own = {"events", "last_seen_us", "hour_events", *texts}
    for field in fields(g.Group):
        if field.name not in its_own:
            assert getattr(after, field.name) == getattr(muted, field.name), field.name
    assert all(getattr(after, name) == getattr(came, name) for name in (*texts, "component", "kind"))


def test_resolved_as_of_a_revision() -> None:
    """Calls that an older policy decided may still fail; those of the revision, or of none, may not."""
    group = by_hand.resolved(new(), at_us=AT_US, actor="ann", revision=7, text="timeout raised")
    assert group.activity[-1].text == "as of policy revision 7: timeout raised"
    later_us = AT_US + HOUR_US
    assert arrive(group, event(2, later_us, 6), at_us=later_us).group.state is g.GroupState.RESOLVED
    assert arrive(group, event(2, later_us, 7), at_us=later_us).group.state is g.GroupState.REGRESSED
    assert arrive(group, event(2, later_us, 0), at_us=later_us).group.state is g.GroupState.REGRESSED
    assert arrive(group, event(2, AT_US, 0), at_us=later_us).group.state is g.GroupState.RESOLVED


def test_regressed_group_has_the_severity_of_what_came_back() -> None:
    """Its past is dealt with; after a week it is ongoing."""
    loud = arrive(None, replace(event(1), severity=Severity.CRITICAL)).group
    back = arrive(by_hand.resolved(loud, at_us=AT_US, actor="ann"), event(2, AT_US + 1), at_us=AT_US + 1)
    gone = by_hand.resolved(loud, at_us=AT_US, actor="ann")
    assert arrive(gone, event(2, AT_US), at_us=AT_US + 1).group.state is g.GroupState.RESOLVED
    assert (back.group.severity, back.changes[0].became) == (Severity.LOW, g.Became.REGRESSED)
    assert g.aged(back.group, at_us=AT_US + 1 + g.WEEK_US)[0].state is g.GroupState.ONGOING


def loud(group: g.Group) -> g.Taken:
    """Let a group have more events in this hour than its limit."""
    group = replace(group, limit_hour=AT_US // HOUR_US, limit=10)
    return arrive(group, *(event(100 + n) for n in range(11)))


def test_escalation_is_told_once_and_lasts_until_two_quiet_hours() -> None:
    """More events in the same state make it last longer."""
    found = loud(new())
    assert (found.group.state, found.flagged) == (g.GroupState.ESCALATING, True)
    assert [(c.became, c.events, c.limit) for c in found.changes] == [(g.Became.ESCALATING, 12, 10)]
    assert loud(found.group).changes == ()
    assert g.aged(found.group, at_us=AT_US + 3 * HOUR_US - 1)[0].state is g.GroupState.ESCALATING
    assert g.aged(found.group, at_us=AT_US + 3 * HOUR_US)[0].state is g.GroupState.ONGOING


@pytest.mark.parametrize("until", list(g.Until))
def test_only_a_group_that_is_muted_until_it_escalates_escalates(until: g.Until) -> None:
    """Others stay muted; their hours are flagged all the same."""
    value = {g.Until.TIME: AT_US + HOUR_US, g.Until.COUNT: 1000}.get(until, 0)
    found = loud(by_hand.archived(new(), until, value, at_us=AT_US, actor="ann"))
    escalates = until is g.Until.ESCALATING
    assert (found.group.state is g.GroupState.ESCALATING) is escalates
    assert (found.group.archive is None) is escalates
    assert found.flagged and bool(found.changes) is escalates


def test_values_that_make_no_sense_are_refused() -> None:
    """A time that has passed, no further event, and reopening what is open."""
    with pytest.raises(InvalidRequest, match="ahead"):
        by_hand.archived(new(), g.Until.TIME, AT_US, at_us=AT_US, actor="ann")
    with pytest.raises(InvalidRequest, match="1 or more"):
        by_hand.archived(new(), g.Until.COUNT, 0, at_us=AT_US, actor="ann")
    with pytest.raises(PreconditionFailed, match="is NEW"):
        by_hand.reopened(new(), at_us=AT_US, actor="ann")


def test_activity_is_bounded() -> None:
    """The newest fifty remain."""
    group = new()
    for number in range(60):
        group = by_hand.remarked(group, str(number), at_us=AT_US, actor="ann")
    assert [one.text for one in group.activity] == [str(number) for number in range(10, 60)]
    assert group.version == 61


def test_late_events_do_not_touch_the_text_or_this_hour() -> None:
    """They make the group older and count in their own hour."""
    late = replace(event(2, AT_US - 5 * HOUR_US), message="late")
    found = arrive(new(), late)
    assert (found.group.first_seen_us, found.group.message) == (AT_US - 5 * HOUR_US, "")
    assert (found.group.hour_events, found.group.events) == (1, 2)


def test_each_hour_is_counted_by_itself() -> None:
    """What came in the hour before is no part of this one."""
    busy = arrive(None, *(event(n) for n in range(5))).group
    assert busy.hour_events == 5
    later_us = AT_US + HOUR_US
    assert arrive(busy, event(9, later_us), at_us=later_us).group.hour_events == 1
