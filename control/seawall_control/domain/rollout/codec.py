"""Rollouts as the JSON text of a stored document, and as entries of the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from seawall_control.domain.events import Json
from seawall_control.domain.records import Delete
from seawall_control.domain.rollout.guards import Finding, Verdict
from seawall_control.domain.rollout.machine import Rollout, State
from seawall_control.domain.rollout.strategy import Guards, Stage, Strategy
from seawall_control.domain.selectors import parse_selector
from seawall_control.domain.statistics import Counters
from seawall_control.domain.stored_json import Fields, text_of

KIND: Final = "rollout"
TOPIC: Final = "rollouts"
FORMAT: Final = 1
MAX_REVISION: Final = 10**20 - 1


@dataclass(frozen=True, slots=True)
class Saved:
    """A rollout with what was counted for it."""

    rollout: Rollout
    canary: Mapping[str, Counters] = field(default_factory=dict)
    rest: Mapping[str, Counters] = field(default_factory=dict)
    before: Mapping[str, Counters] = field(default_factory=dict)
    """Of the proxies before the rollout; compared with where nobody has the stable revision any more."""


def document_name(policy_set: str, revision: int) -> str:
    """Return the name of a rollout's document; in the order of names the newest of a set comes last."""
    return f"{policy_set}/{revision:020d}"


def deletion(rollout: Rollout) -> Delete:
    """Return the change that forgets a rollout."""
    return Delete(KIND, document_name(rollout.policy_set, rollout.revision))


def encoded(saved: Saved) -> str:
    """Return the text of the document."""
    rollout = saved.rollout
    return text_of(
        {
            "format": FORMAT,
            "policy_set": rollout.policy_set,
            "revision": rollout.revision,
            "hash": rollout.hash,
            "stable_revision": rollout.stable_revision,
            "stable_hash": rollout.stable_hash,
            "strategy": _strategy_json(rollout.strategy),
            "actor": rollout.actor,
            "message": rollout.message,
            "state": rollout.state,
            "stage": rollout.stage,
            "thresholds": list(rollout.thresholds),
            "stage_time_us": rollout.stage_time_us,
            "baked_us": rollout.baked_us,
            "baking_since_us": rollout.baking_since_us,
            "forced": rollout.forced,
            "verdict": rollout.verdict,
            "findings": [_finding_json(found) for found in rollout.findings],
            "reason": rollout.reason,
            "back_as": rollout.back_as,
            "create_time_us": rollout.create_time_us,
            "update_time_us": rollout.update_time_us,
            "end_time_us": rollout.end_time_us,
            "canary": _routes_json(saved.canary),
            "rest": _routes_json(saved.rest),
            "before": _routes_json(saved.before),
        }
    )


def decoded(body: str) -> Saved:
    """Return what a document says. Raise ValueError for what is none."""
    data = Fields.parse(body)
    if data.integer("format") != FORMAT:
        raise ValueError(f"a rollout in format {data.integer('format')}; this version knows {FORMAT}")
    rollout = Rollout(
        policy_set=data.text("policy_set"),
        revision=data.integer("revision"),
        hash=data.text("hash"),
        stable_revision=data.integer("stable_revision"),
        stable_hash=data.text("stable_hash"),
        strategy=_strategy(data.object("strategy")),
        actor=data.text("actor"),
        message=data.text("message"),
        state=State(data.text("state")),
        stage=data.integer("stage"),
        thresholds=data.numbers("thresholds"),
        stage_time_us=data.integer("stage_time_us"),
        baked_us=data.integer("baked_us"),
        baking_since_us=data.integer("baking_since_us"),
        forced=data.flag("forced"),
        verdict=Verdict(data.text("verdict")),
        findings=tuple(_finding(found) for found in data.objects("findings")),
        reason=data.text("reason"),
        back_as=data.integer("back_as"),
        create_time_us=data.integer("create_time_us"),
        update_time_us=data.integer("update_time_us"),
        end_time_us=data.integer("end_time_us"),
    )
    return Saved(
        rollout, _routes(data.object("canary")), _routes(data.object("rest")), _routes(data.object("before"))
    )


def entry(rollout: Rollout, what: str, *, actor: str = "") -> str:
    """Return the text of a journal's entry: what happened, and what it rests on."""
    return text_of(
        {
            "rollout": rollout.name,
            "what": what,
            "actor": actor,
            "state": rollout.state,
            "stage": rollout.stage,
            "reason": rollout.reason,
            "verdict": rollout.verdict,
            "findings": [_finding_json(found) for found in rollout.findings[:5]],
        }
    )


def _strategy_json(strategy: Strategy) -> dict[str, Json]:
    guards = strategy.guards
    return {
        "stages": [
            {"share": stage.share, "selector": stage.selector.text, "bake_s": stage.bake_s}
            for stage in strategy.stages
        ],
        "guards": {
            "max_error_increase": guards.max_error_increase,
            "max_rejected_increase": guards.max_rejected_increase,
            "max_latency_ratio": guards.max_latency_ratio,
            "min_latency_increase_s": guards.min_latency_increase_s,
            "max_nacks": guards.max_nacks,
            "min_calls": guards.min_calls,
            "confidence": guards.confidence,
        },
        "patience_s": strategy.patience_s,
    }


def _strategy(data: Fields) -> Strategy:
    guards = data.object("guards")
    return Strategy(
        stages=tuple(
            Stage(
                share=stage.number("share"),
                selector=parse_selector(stage.text("selector")),
                bake_s=stage.number("bake_s"),
            )
            for stage in data.objects("stages")
        ),
        guards=Guards(
            max_error_increase=guards.number("max_error_increase"),
            max_rejected_increase=guards.number("max_rejected_increase"),
            max_latency_ratio=guards.number("max_latency_ratio"),
            min_latency_increase_s=guards.number("min_latency_increase_s"),
            max_nacks=guards.integer("max_nacks"),
            min_calls=guards.integer("min_calls"),
            confidence=guards.number("confidence"),
        ),
        patience_s=data.number("patience_s"),
    )


def _finding_json(found: Finding) -> dict[str, Json]:
    return {
        "guard": found.guard,
        "verdict": found.verdict,
        "text": found.text,
        "route": found.route,
        "canary": found.canary,
        "rest": found.rest,
        "limit": found.limit,
        "canary_calls": found.canary_calls,
        "rest_calls": found.rest_calls,
        "p_value": found.p_value,
    }


def _finding(data: Fields) -> Finding:
    return Finding(
        guard=data.text("guard"),
        verdict=Verdict(data.text("verdict")),
        text=data.text("text"),
        route=data.text("route"),
        canary=data.number("canary"),
        rest=data.number("rest"),
        limit=data.number("limit"),
        canary_calls=data.integer("canary_calls"),
        rest_calls=data.integer("rest_calls"),
        p_value=data.number("p_value"),
    )


def _routes_json(routes: Mapping[str, Counters]) -> dict[str, Json]:
    return {
        route: {
            "by_code": _trimmed(counters.by_code),
            "rejected": counters.rejected,
            "latency_buckets": _trimmed(counters.latency_buckets),
        }
        for route, counters in routes.items()
    }


def _trimmed(counts: tuple[int, ...]) -> list[int]:
    length = next((index for index in range(len(counts), 0, -1) if counts[index - 1]), 0)
    return list(counts[:length])


def _routes(data: Fields) -> dict[str, Counters]:
    found = {}
    for route in data.data:
        counters = data.object(route)
        found[route] = Counters(
            by_code=counters.integers("by_code"),
            rejected=counters.integer("rejected"),
            latency_buckets=counters.integers("latency_buckets"),
        )
    return found
