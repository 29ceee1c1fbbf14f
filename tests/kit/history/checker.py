"""The join: one pure function from the lines of a history to a verdict."""

from __future__ import annotations

from collections.abc import Iterable

from tests.kit.history.calls import judge_calls
from tests.kit.history.events import judge_events
from tests.kit.history.lines import Line
from tests.kit.history.policies import judge_policies
from tests.kit.history.verdict import Verdict


def check(lines: Iterable[Line]) -> Verdict:
    """Return what a history says about each invariant. The lines are in the order in which they happened."""
    history = list(lines)
    verdict = Verdict()
    judge_events(history, verdict)
    judge_policies(history, verdict)
    judge_calls(history, verdict)
    verdict.figures["faults"] = sum(line["what"] == "fault" for line in history)
    return verdict
