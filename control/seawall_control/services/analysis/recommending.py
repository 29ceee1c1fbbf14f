"""What could be changed in the policies, by the record and the statistics of calls; and changing it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from seawall.v1 import policy_pb2
from seawall_control.domain.analysis.promises import MIN_CALLS, PROMISES, Share, measured
from seawall_control.domain.analysis.recommend import PolicyFacts, Recommendation, RouteFacts, recommendations
from seawall_control.domain.errors import NotFound
from seawall_control.domain.events import MICROS
from seawall_control.domain.revisions import Revision
from seawall_control.domain.statistics import LATENCY_BOUNDS_S, Counters, percentile
from seawall_control.services.analysis.facts import changed_document, policy_facts
from seawall_control.services.analysis.summaries import Summaries, Summary
from seawall_control.services.analysis.windows import window_of
from seawall_control.services.edge import Clock
from seawall_control.services.fleet import Fleet
from seawall_control.services.inheritance import document_of, own_document_of
from seawall_control.services.policies import Change, PolicyService
from seawall_control.store.port import Store

HOUR_S: Final = 3600.0
MONTH_S: Final = 30 * 86400.0
CALLS_S: Final = 600.0
"""How far back statistics of calls reach."""
DEFAULT_SET: Final = "default"


@dataclass(frozen=True, slots=True)
class Tunable:
    """A recommendation that says what it makes less, and how much of that there is now."""

    recommendation: Recommendation
    share: Share


class Recommender:
    """The use cases of recommendations."""

    def __init__(self, store: Store, fleet: Fleet, policies: PolicyService, clock: Clock) -> None:
        self.summaries = Summaries(store)
        self._fleet = fleet
        self._policies = policies
        self._clock = clock

    def calls(self, *, window_s: float = CALLS_S) -> Mapping[str, Counters]:
        """Return what happened on each route lately, at most ten minutes back."""
        return self._fleet.view.lately(window_s)

    async def recommend(self, length_s: float = 0.0, *, policy_set: str = "") -> tuple[Recommendation, ...]:
        """Return what could be changed. Raise `InvalidRequest`."""
        now_s = self._clock.now_us() / MICROS
        window = window_of(length_s, now_s=now_s, default_s=HOUR_S, most_s=MONTH_S)
        summary, newest = await asyncio.gather(
            self.summaries.of(window), self.newest(policy_set or DEFAULT_SET)
        )
        return within(summary, newest, self.calls())

    async def newest(self, policy_set: str) -> Revision | None:
        """Return the newest revision of a set; None when there is none."""
        try:
            return await self._policies.revision(policy_set=policy_set)
        except NotFound:
            return None

    async def tunable(self, *, policy_set: str = "") -> list[Tunable]:
        """Return the recommendations that can be tried, with what each would make less, for routes with
        enough calls to tell afterwards.
        """
        calls = self.calls()
        found = [
            Tunable(one, measured(one.kind, calls.get(one.route, Counters())))
            for one in await self.recommend(policy_set=policy_set)
            if one.policy_name and one.kind in PROMISES
        ]
        return [one for one in found if one.share.calls >= MIN_CALLS]

    async def apply(
        self, recommendation_id: str, length_s: float, *, policy_set: str, author: str, validate_only: bool
    ) -> tuple[Sequence[Change], Revision | None]:
        """Make a recommendation's change the newest revision; return what differs and the revision. Raise
        `NotFound` when it does not hold any more, `PreconditionFailed` for advice.
        """
        name = policy_set or DEFAULT_SET
        newest = await self._policies.revision(policy_set=name)
        found = await self.recommend(length_s, policy_set=name)
        chosen = next((one for one in found if one.id == recommendation_id), None)
        if chosen is None:
            raise NotFound(
                f"there is no recommendation {recommendation_id[:64]!r} now; the numbers have changed, "
                "or it was found in another window"
            )
        document: policy_pb2.PolicyDocument = changed_document(
            document_of(newest), own_document_of(newest), chosen
        )
        differs = (await self._policies.diff(policy_set=name, document=document)).changes
        if validate_only:
            return differs, None
        done = await self._policies.apply(
            document, policy_set=name, etag=newest.hash, author=author, message=message_of(chosen)
        )
        return differs, done.publication.applied.revision


def within(
    summary: Summary, newest: Revision | None, calls: Mapping[str, Counters]
) -> tuple[Recommendation, ...]:
    """Return what could be changed in a revision, by the events of a window and these calls."""
    if newest is None:
        return ()
    facts = policy_facts(document_of(newest))
    return recommendations(
        [
            _route_facts(route, policy, calls.get(route, Counters()), summary)
            for route, policy in facts.items()
        ]
    )


def message_of(chosen: Recommendation) -> str:
    """Return the message of a revision that follows a recommendation."""
    return f"{chosen.title} ({chosen.evidence})"[:500]


def _route_facts(
    route: str,
    policy: PolicyFacts,
    counters: Counters,
    summary: Summary,
) -> RouteFacts:
    calls = counters.calls
    return RouteFacts(
        route=route,
        policy=policy,
        failed_by_code=summary.failed.get(route, {}),
        rejected_by_reason=counters.rejected_by,
        breaker_opened=summary.opened.get(route, 0),
        calls=calls,
        success_ratio=counters.by_code[0] / calls if calls else 1.0,
        p50_s=percentile(LATENCY_BOUNDS_S, counters.latency_buckets, 0.5),
        p99_s=percentile(LATENCY_BOUNDS_S, counters.latency_buckets, 0.99),
        tried_again=min(counters.retries, calls),
        recovered=counters.recovered,
    )
