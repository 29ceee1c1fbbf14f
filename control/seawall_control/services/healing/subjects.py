"""What a runbook is run for, when somebody says so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from fnmatch import fnmatchcase

from seawall_control.domain.errors import FieldProblem, InvalidRequest, PreconditionFailed
from seawall_control.domain.healing.conditions import Observation, Watched, by_subject
from seawall_control.domain.healing.runbooks import Runbook

Observe = Callable[[Watched], Awaitable[list[Observation]]]
"""Returns what is observed now of conditions and subjects; of everything when told None."""


async def chosen(observe: Observe, runbook: Runbook, subject: str) -> Observation:
    """Return what is observed of a subject; without one, of the only one that the runbook is about now. Raise
    `InvalidRequest` or `PreconditionFailed`.
    """
    if subject and not fnmatchcase(subject, runbook.subject):
        raise InvalidRequest(
            f"{runbook.name} is for {runbook.subject}, not for {subject[:200]}",
            (FieldProblem("subject", f"must match {runbook.subject}"),),
        )
    wanted = frozenset({subject or runbook.subject})
    seen = [
        one
        for one in by_subject(await observe({runbook.condition: wanted})).values()
        if runbook.matches(one) and subject in ("", one.subject)
    ]
    if len(seen) == 1:
        return seen[0]
    if subject:
        return Observation(runbook.condition, subject, 0.0, "begun by hand; nothing is measured of it now")
    if not seen:
        raise PreconditionFailed(
            f"nothing is measured now that {runbook.name} is about; name the subject, such as route/NAME"
        )
    some = ", ".join(sorted(one.subject for one in seen)[:10])
    raise InvalidRequest(
        f"{runbook.name} is about {len(seen)} subjects now; name one of them: {some}",
        (FieldProblem("subject", "must be given where there are several"),),
    )
