"""Tells of cases by events, so that alerts and live streams have them: a proposal that nobody hears of ends
without an answer.
"""

from __future__ import annotations

import logging

from seawall_control.domain.errors import ControlError
from seawall_control.domain.events import Event, EventKind
from seawall_control.domain.healing.engine import Case, State
from seawall_control.domain.healing.news import COMPONENT, FOR_PEOPLE, News, is_answer, news_of, route_of
from seawall_control.services.background import Background
from seawall_control.services.edge import Clock, derived_id
from seawall_control.services.events import EventService

_log = logging.getLogger("seawall.control.healing")


class CaseTeller:
    """Is told each new state of a case, once that is on record."""

    def __init__(self, events: EventService, clock: Clock, background: Background) -> None:
        self._events = events
        self._clock = clock
        self._background = background

    def __call__(self, case: Case) -> None:
        """Store an event, or mark the one about the proposal as dealt with."""
        news = news_of(case)
        if news is not None:
            self._background.start(self._tell(case, news), f"seawall-event-{case.id}")
        elif is_answer(case):
            self._background.start(self._answered(case), f"seawall-event-{case.id}")

    async def _tell(self, case: Case, news: News) -> None:
        at_us = self._clock.now_us()
        done = news.error_type not in FOR_PEOPLE
        await self._events.keep_own(
            Event(
                id=_event_id(case, case.state),
                timestamp_us=at_us,
                severity=news.severity,
                component=f"{COMPONENT}{case.runbook.name}",
                error_type=news.error_type,
                message=news.message,
                details={
                    "case": case.id,
                    "runbook": case.runbook.name,
                    "subject": case.subject,
                    "evidence": case.evidence,
                },
                kind=EventKind.SYSTEM,
                route=route_of(case),
                # All of one runbook are one group, whatever they are about.
                reason=news.error_type.upper(),
                resolved=done,
                resolved_at_us=at_us if done else 0,
                resolution="It needs nobody." if done else "",
            )
        )

    async def _answered(self, case: Case) -> None:
        try:
            await self._events.resolve(
                ids=[_event_id(case, State.PROPOSED)],
                resolution=f"{case.state} ({case.actor or 'nobody was asked any more'})",
            )
        except ControlError as error:
            _log.warning(
                "an event about a proposal could not be resolved",
                extra={"fields": {"case": case.id, "error": str(error)}},
            )


def _event_id(case: Case, state: State) -> str:
    return derived_id("healing", *case.identity, state.value)
