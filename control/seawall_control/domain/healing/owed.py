"""What a process that ended has left to be done."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from seawall_control.domain.healing.actions import CATALOGUE
from seawall_control.domain.healing.engine import HOUR_US, Case, State

OWED_US: Final = 24 * HOUR_US


def owes_undo(case: Case, now_us: int) -> bool:
    """Tell whether what a case did is still to be taken back, the process having ended when that was decided;
    after a day people have gone on from there.
    """
    return (
        case.state is State.NOT_HELPED
        and case.undo != ""
        and CATALOGUE[case.runbook.action].can_undo
        and "taken back: " not in case.outcome
        and now_us - case.changed_us < OWED_US
    )


def not_ahead(case: Case, now_us: int) -> Case:
    """Return a case that was written while the clock was ahead, as if that were now: it would wait and rest
    until that time has come.
    """
    if max(case.started_us, case.changed_us) <= now_us:
        return case
    return replace(case, started_us=min(case.started_us, now_us), changed_us=min(case.changed_us, now_us))
