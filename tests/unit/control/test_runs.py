"""What is said when a process begins anew, and when it ends."""

from __future__ import annotations

import pytest

from seawall_control.domain.events import MICROS, Severity
from seawall_control.domain.runs import Ending, Run, lost, restarted, stopped, summary_of

AT_US = 1_800_000_000 * MICROS


def test_an_end_in_order() -> None:
    """LOW, with why and for how long."""
    before = Run(id="a", version="1.0", seen_us=AT_US - 12 * MICROS, ending=Ending.CLEAN, reason="SIGTERM")
    news = restarted("Proxy p1", before, Run(id="b", version="1.0"), at_us=AT_US)
    assert news.severity is Severity.LOW
    assert news.message == "Proxy p1 started again after 12 s: it was stopped (SIGTERM)"
    assert news.details == {"ending": "clean", "downtime_s": 12.0, "reason": "SIGTERM"}
    assert summary_of("proxy_restarted", news.details) == ""


def test_an_end_without_a_word() -> None:
    """MEDIUM; another version is said as well."""
    before = Run(id="a", version="1.0", seen_us=AT_US - 90 * MICROS, ending=Ending.UNCLEAN)
    news = restarted("The control plane", before, Run(id="b", version="1.1"), at_us=AT_US)
    assert news.severity is Severity.MEDIUM
    assert news.message == (
        "The control plane started again after 90 s: the run before ended without a word: killed, out of "
        "memory, or its machine went down; version 1.1, before it 1.0"
    )
    assert summary_of("control_plane_started", news.details) == (
        ", its end was unclean, version 1.1 instead of 1.0"
    )
    assert summary_of("Boom", news.details) == ""


def test_an_end_by_a_fault_and_one_that_nobody_heard_of() -> None:
    """The one is unclean with its reason, the other is nobody's fault."""
    fault = Run(id="a", ending=Ending.UNCLEAN, reason="a part of it ended")
    news = restarted("X", fault, Run(id="b"), at_us=AT_US)
    assert (news.severity, "by a fault (a part of it ended)" in news.message) == (Severity.MEDIUM, True)
    news = restarted("X", Run(id="a"), Run(id="b"), at_us=AT_US)
    assert news.message == "X started again: how the run before ended is not known"
    assert (news.severity, news.details) == (Severity.LOW, {"ending": "unknown"})


def test_a_clock_that_was_set_back() -> None:
    """Nobody was away for less than nothing."""
    before = Run(id="a", seen_us=AT_US + 3600 * MICROS, ending=Ending.CLEAN)
    assert restarted("X", before, Run(id="b"), at_us=AT_US).details["downtime_s"] == 0.0


def test_stopped_and_lost() -> None:
    """What is said at the end, and when nothing is heard."""
    run = Run(id="a", seen_us=AT_US - 75 * MICROS, reason="SIGINT")
    assert stopped("Proxy p1", run).message == "Proxy p1 stopped: SIGINT"
    assert stopped("Proxy p1", Run(id="a")).message == "Proxy p1 stopped"
    news = lost("Control plane a", run, at_us=AT_US)
    assert (news.severity, news.details["ending"]) == (Severity.MEDIUM, "unclean")
    assert news.message == "Control plane a has not been heard of for 75 s, and did not say that it stops"


def test_as_text() -> None:
    """What is stored is read back; what an older or newer version wrote too; nonsense is refused."""
    run = Run(id="a", version="1", seen_us=5, ending=Ending.CLEAN, reason="x", told=True)
    assert Run.of_text(run.to_text()) == run
    assert Run.of_text('{"id": "a", "more": 1}') == Run(id="a")
    for text in ("[]", "{}", '{"id": 3}', '{"id": "a", "ending": "odd"}'):
        with pytest.raises((TypeError, ValueError)):
            Run.of_text(text)
