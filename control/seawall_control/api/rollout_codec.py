"""Rollouts on the wire."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from google.protobuf.duration_pb2 import Duration

from seawall.v1 import admin_rollouts_pb2 as pb
from seawall_control.api import codec
from seawall_control.domain.rollout.guards import Finding, Verdict
from seawall_control.domain.rollout.machine import Member, Rollout, State
from seawall_control.domain.rollout.strategy import Guards, Stage, Strategy
from seawall_control.domain.selectors import parse_selector

_STATES: Final = {
    State.PENDING: pb.STAGED_ROLLOUT_STATE_PENDING,
    State.RUNNING: pb.STAGED_ROLLOUT_STATE_RUNNING,
    State.PAUSED: pb.STAGED_ROLLOUT_STATE_PAUSED,
    State.PROMOTING: pb.STAGED_ROLLOUT_STATE_PROMOTING,
    State.SUCCEEDED: pb.STAGED_ROLLOUT_STATE_SUCCEEDED,
    State.ROLLED_BACK: pb.STAGED_ROLLOUT_STATE_ROLLED_BACK,
    State.FAILED: pb.STAGED_ROLLOUT_STATE_FAILED,
    State.CANCELLED: pb.STAGED_ROLLOUT_STATE_CANCELLED,
}
_VERDICTS: Final = {
    Verdict.CONTINUE: pb.ROLLOUT_VERDICT_CONTINUE,
    Verdict.WAIT: pb.ROLLOUT_VERDICT_WAIT,
    Verdict.ROLLBACK: pb.ROLLOUT_VERDICT_ROLLBACK,
}


def _length_s(length: Duration) -> float:
    return length.ToTimedelta().total_seconds()


def strategy_of(message: pb.RolloutStrategy) -> Strategy:
    """Return the plan that a message means, with the defaults filled in."""
    defaults = Strategy()
    stages = tuple(_stage_of(stage, number) for number, stage in enumerate(message.stages))
    return Strategy(
        stages=stages or defaults.stages,
        guards=_guards_of(message.guards),
        patience_s=_length_s(message.patience) if message.HasField("patience") else defaults.patience_s,
    )


def _stage_of(message: pb.RolloutStage, number: int) -> Stage:
    return Stage(
        share=message.percent / 100 if message.HasField("percent") else 1.0,
        selector=parse_selector(message.selector, field=f"rollout.stages[{number}].selector"),
        bake_s=_length_s(message.bake) if message.HasField("bake") else Stage().bake_s,
    )


def _guards_of(message: pb.RolloutGuards) -> Guards:
    defaults = Guards()

    def given(name: str, otherwise: float, scale: float = 1.0) -> float:
        return float(getattr(message, name)) * scale if message.HasField(name) else otherwise

    return Guards(
        max_error_increase=given("max_error_increase_percent", defaults.max_error_increase, 0.01),
        max_rejected_increase=given("max_rejected_increase_percent", defaults.max_rejected_increase, 0.01),
        max_latency_ratio=given("max_latency_ratio", defaults.max_latency_ratio),
        min_latency_increase_s=_length_s(message.min_latency_increase)
        if message.HasField("min_latency_increase")
        else defaults.min_latency_increase_s,
        max_nacks=int(given("max_nacks", defaults.max_nacks)),
        min_calls=int(given("min_calls", defaults.min_calls)),
        confidence=given("confidence_percent", defaults.confidence, 0.01),
    )


def _strategy_message(strategy: Strategy) -> pb.RolloutStrategy:
    guards = strategy.guards
    return pb.RolloutStrategy(
        stages=[
            pb.RolloutStage(
                percent=_percent(stage.share), selector=stage.selector.text, bake=codec.seconds(stage.bake_s)
            )
            for stage in strategy.stages
        ],
        guards=pb.RolloutGuards(
            max_error_increase_percent=_percent(guards.max_error_increase),
            max_rejected_increase_percent=_percent(guards.max_rejected_increase),
            max_latency_ratio=guards.max_latency_ratio,
            min_latency_increase=codec.seconds(guards.min_latency_increase_s),
            max_nacks=guards.max_nacks,
            min_calls=guards.min_calls,
            confidence_percent=_percent(guards.confidence),
        ),
        patience=codec.seconds(strategy.patience_s),
    )


def _percent(share: float) -> float:
    return round(share * 100, 6)


def finding_message(found: Finding) -> pb.RolloutFinding:
    """Return a finding as a message."""
    return pb.RolloutFinding(
        guard=found.guard,
        verdict=_VERDICTS[found.verdict],
        text=found.text,
        route=found.route,
        canary=found.canary,
        rest=found.rest,
        limit=found.limit,
        canary_calls=found.canary_calls,
        rest_calls=found.rest_calls,
        p_value=found.p_value,
    )


def rollout_message(
    rollout: Rollout, now_us: int, *, members: Iterable[tuple[Member, bool]] = ()
) -> pb.StagedRollout:
    """Return a rollout as a message; with each connected proxy and whether it is to have the revision."""
    return pb.StagedRollout(
        name=rollout.name,
        policy_set=rollout.policy_set,
        revision=rollout.revision,
        hash=rollout.hash,
        stable_revision=rollout.stable_revision,
        strategy=_strategy_message(rollout.strategy),
        state=_STATES[rollout.state],
        reason=rollout.reason,
        stage=rollout.stage + 1,
        stage_time=codec.optional_time(rollout.stage_time_us),
        baked=codec.seconds(rollout.baked_s(now_us)),
        verdict=_VERDICTS[rollout.verdict],
        findings=[finding_message(found) for found in rollout.findings],
        back_as=rollout.back_as,
        author=rollout.actor,
        message=rollout.message,
        create_time=codec.optional_time(rollout.create_time_us),
        end_time=codec.optional_time(rollout.end_time_us),
        members=[
            pb.RolloutMember(
                proxy=member.node, member=is_meant, applied=member.applied, reasons=list(member.refused)
            )
            for member, is_meant in members
        ],
    )
