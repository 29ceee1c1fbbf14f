"""A rollout's stages, members, text and record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall_control.domain.errors import InvalidRequest, PreconditionFailed
from seawall_control.domain.events import MICROS
from seawall_control.domain.rollout import codec, machine
from seawall_control.domain.rollout.guards import Finding, Judgement, Verdict
from seawall_control.domain.rollout.machine import Member, Rollout, Seen, State
from seawall_control.domain.rollout.meter import MAX_ROUTES, OVERFLOW, Meter, bounded
from seawall_control.domain.rollout.strategy import (
    Guards,
    Stage,
    Strategy,
    checked_strategy,
    is_member,
    threshold,
)
from seawall_control.domain.selectors import parse_selector
from seawall_control.domain.statistics import Counters, Sample

FINE = Judgement(Verdict.CONTINUE, ())
BAD = Judgement(
    Verdict.ROLLBACK, (Finding(guard="error_rate", verdict=Verdict.ROLLBACK, text="it is worse"),)
)
FEW = Judgement(Verdict.WAIT, (Finding(guard="calls", verdict=Verdict.WAIT, text="too few calls"),))
NODES = {f"proxy-{number}": {"zone": "ab"[number % 2]} for number in range(20)}


def rollout(*stages: Stage, **more: object) -> Rollout:
    """Return a rollout of revision 5 over 4."""
    plan = Strategy(stages=stages or (Stage(share=0.1, bake_s=60),), patience_s=600)
    made = Rollout(
        policy_set="default", revision=5, hash="new", stable_revision=4, stable_hash="old", strategy=plan
    )
    return replace(made, **more)  # type: ignore[arg-type]


def seen(
    judgement: Judgement = FINE, *, applied: int = 2, behind: int = 0, refused: int = 0, nodes: int = 20
) -> Seen:
    """Return a look at the fleet."""
    members = [Member(node=f"proxy-{n}", applied=True) for n in range(applied)]
    members += [Member(node=f"late-{n}", applied=False) for n in range(behind)]
    members += [Member(node=f"no-{n}", applied=False, refused=("cannot",)) for n in range(refused)]
    return Seen(nodes=dict(list(NODES.items())[:nodes]), members=tuple(members), judgement=judgement)


def at(seconds: float) -> int:
    """Return a time."""
    return int((1_000_000 + seconds) * MICROS)


@pytest.mark.parametrize(
    ("nodes", "share", "expected"), [(20, 0.1, 2), (3, 0.1, 1), (1, 0.1, 1), (2, 0.9, 1), (7, 1, 7)]
)
def test_a_share_is_rounded_up_and_leaves_somebody_to_compare_with(
    nodes: int, share: float, expected: int
) -> None:
    """A small fleet has a canary as well, and a rest."""
    fleet = dict(list(NODES.items())[:nodes])
    stage = Stage(share=share)
    until = threshold(stage, "default", fleet)
    assert sum(is_member((stage,), (until,), "default", n, labels) for n, labels in fleet.items()) == expected


def test_stages_grow_and_a_selector_narrows() -> None:
    """Members of a stage are members of the next one; a share is one of those that the selector matches."""
    stages = (Stage(share=0.2, selector=parse_selector("zone=a")), Stage(share=0.5))
    untils = [threshold(stage, "default", NODES) for stage in stages]
    first = {n for n, labels in NODES.items() if is_member(stages[:1], untils[:1], "default", n, labels)}
    both = {n for n, labels in NODES.items() if is_member(stages, untils, "default", n, labels)}
    assert len(first) == 2 and all(NODES[node]["zone"] == "a" for node in first)
    assert first < both and len(both) >= 10


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        (Strategy(stages=()), "1 to 20 stages"),
        (Strategy(stages=(Stage(share=0.0),)), r"stages\[0\].percent must be above 0 to 100, not 0"),
        (Strategy(stages=(Stage(share=0.5), Stage(share=0.5))), "reach more proxies"),
        (Strategy(stages=(Stage(bake_s=-1.0),)), "bake"),
        (Strategy(guards=Guards(max_latency_ratio=0.5)), "max_latency_ratio must be 1 to 1000"),
        (Strategy(guards=Guards(confidence=1.0)), "confidence_percent"),
        (Strategy(patience_s=0.0), "patience"),
        (Strategy(stages=(Stage(share=float("nan")),)), "percent"),
    ],
)
def test_plans_that_cannot_be_followed(strategy: Strategy, words: str) -> None:
    """The message names the field and its range."""
    with pytest.raises(InvalidRequest, match=words):
        checked_strategy(strategy)


def test_a_good_revision_goes_through_its_stages() -> None:
    """Bake, next stage, bake, everybody, done."""
    now = machine.begun(rollout(Stage(share=0.1, bake_s=60), Stage(share=0.5, bake_s=30)), 5, seen(), at(0))
    assert (now.state, now.stage, len(now.thresholds)) == (State.RUNNING, 0, 1)
    now = machine.advance(now, seen(applied=1, behind=1), at(5))
    assert now.findings[0].text.startswith("1 of 2 proxies have not put it in effect yet: late-0")
    now = machine.advance(now, seen(), at(10))
    now = machine.advance(now, seen(), at(69))
    assert (now.stage, now.verdict, now.findings[0].guard) == (0, Verdict.WAIT, "bake")
    now = machine.advance(now, seen(), at(70))
    assert (now.stage, now.verdict) == (1, Verdict.CONTINUE)
    now = machine.advance(now, seen(), at(71))
    now = machine.advance(now, seen(), at(102))
    assert now.state is State.PROMOTING
    assert now.wants("anybody", {}, 0)
    now = machine.advance(now, seen(applied=19, behind=1), at(103))
    assert now.state is State.PROMOTING
    now = machine.advance(now, seen(applied=20), at(104))
    assert (now.state, now.reason) == (State.SUCCEEDED, "in effect at 20 connected proxies")


@pytest.mark.parametrize("look", [seen(BAD), seen(FINE, refused=1), seen(BAD, behind=1)])
def test_harm_takes_it_back_at_once(look: Seen) -> None:
    """A guard or a refusal is enough, baked or not, paused or not."""
    began = machine.begun(rollout(), 5, seen(), at(0))
    for before in (began, machine.paused(began, at(1), actor="ann")):
        after = machine.advance(before, look, at(2))
        assert (after.state, after.verdict, after.end_time_us) == (State.ROLLED_BACK, Verdict.ROLLBACK, at(2))
        assert after.reason in ("it is worse", "1 proxies refused the revision, 0 may; no-0: cannot") or (
            after.reason == "1 proxy refused the revision, 0 may; no-0: cannot"
        )


def test_a_refusal_while_everybody_gets_it_takes_it_back_unless_somebody_wanted_it_so() -> None:
    """What the canaries took may be refused elsewhere."""
    running = machine.begun(rollout(Stage(share=0.1, bake_s=0)), 5, seen(), at(0))
    promoting = machine.advance(running, seen(), at(1))
    assert promoting.state is State.PROMOTING
    assert machine.advance(promoting, seen(refused=1), at(2)).state is State.ROLLED_BACK
    forced = machine.promoted(running, at(1), actor="ann", reason="hurry")
    assert forced.reason == "promoted by ann: hurry"
    kept = machine.advance(forced, seen(refused=1), at(2))
    assert kept.state is State.PROMOTING
    late = machine.advance(kept, seen(refused=1), at(2 + machine.PROMOTE_PATIENCE_S))
    assert late.state is State.FAILED
    assert "no-0 refused it: cannot" in late.reason


def test_proxies_that_do_not_survive_it_take_it_back() -> None:
    """One restart is an upgrade, three are the revision's fault; by hand it stays."""
    began = machine.begun(rollout(), 5, seen(), at(0))

    def look(restarts: int) -> Seen:
        members = (Member(node="a", applied=True), Member(node="b", applied=False, restarts=restarts))
        return replace(seen(), members=members)

    assert machine.advance(began, look(2), at(1)).state is State.RUNNING
    after = machine.advance(began, look(3), at(1))
    assert (after.state, after.findings[0].guard) == (State.ROLLED_BACK, "restarts")
    assert after.reason == "b has restarted 3 times since it was to have the revision"
    forced = machine.promoted(began, at(1))
    assert machine.advance(forced, look(3), at(2)).state is State.PROMOTING


def test_what_proves_nothing_is_paused_in_the_end() -> None:
    """No traffic is no proof."""
    now = machine.begun(rollout(), 5, seen(), at(0))
    for second in range(0, 661, 10):
        now = machine.advance(now, seen(FEW), at(second))
    assert now.state is State.RUNNING
    now = machine.advance(now, seen(FEW), at(661))
    assert now.state is State.PAUSED
    assert now.reason == "stage 1 has lasted 660 s and proves nothing yet: too few calls"
    again = machine.resumed(now, at(700), actor="ann")
    assert machine.advance(again, seen(FEW), at(701)).state is State.RUNNING


def test_a_pause_and_an_absence_stop_the_clock() -> None:
    """Only time in which the revision was in effect and watched counts."""
    now = machine.begun(rollout(), 5, seen(), at(0))
    now = machine.advance(now, seen(), at(0))
    now = machine.paused(now, at(20))
    now = machine.resumed(now, at(1000))
    now = machine.advance(now, seen(applied=0), at(1001))
    assert now.findings[0].text == "no proxy of the stage is connected"
    now = machine.advance(now, seen(), at(1100))
    assert now.baked_s(at(1110)) == 30
    now = machine.interrupted(replace(now, update_time_us=at(1120)), at(1130))
    assert now.baked_s(at(5000)) == 40


def test_a_stage_that_began_ahead_of_time_has_a_patience() -> None:
    """A control plane was started again when its clock was right: the stage waited for a day to give up."""
    ahead = machine.begun(rollout(Stage(share=0.1, bake_s=60)), 5, seen(), at(86_400))
    now = machine.interrupted(ahead, at(0))
    now = machine.advance(now, seen(applied=0), at(660))
    assert now.state is State.RUNNING
    now = machine.advance(now, seen(applied=0), at(661))
    assert now.state is State.PAUSED


def test_a_clock_that_is_set_shortens_no_stage() -> None:
    """An hour ahead, or back: what a stage has to bake, it bakes; nor is its patience at its end."""
    for hours in (1, -1):
        one = machine.begun(rollout(Stage(share=0.1, bake_s=60)), 5, seen(), at(0))
        one = machine.advance(one, seen(), at(0))
        one = machine.advance(one, seen(), at(20))
        later = hours * 3600
        one = machine.advance(machine.moved(one, later * MICROS), seen(), at(21 + later))
        assert one.state is State.RUNNING
        assert one.baked_s(at(21 + later)) == 21
        one = machine.advance(one, seen(), at(61 + later))
        assert one.state is State.PROMOTING
    idle = machine.begun(rollout(Stage(share=0.1, bake_s=60)), 5, seen(applied=0), at(0))
    idle = machine.advance(machine.moved(idle, 3600 * MICROS), seen(applied=0), at(3610))
    assert (idle.state, idle.baking_since_us) == (State.RUNNING, 0)


def test_verbs_that_do_not_fit() -> None:
    """The error says which state it is in and which are fine."""
    ended = machine.undone(machine.begun(rollout(), 5, seen(), at(0)), at(1), actor="ann", reason="no")
    assert ended.reason == "taken back by ann: no"
    for verb in (machine.paused, machine.resumed, machine.promoted, machine.undone):
        with pytest.raises(PreconditionFailed, match="revision 5 of policy set default is rolled_back"):
            verb(ended, at(2))


def test_who_has_had_it_keeps_it() -> None:
    """Whatever becomes of labels: the number in effect never goes down."""
    now = machine.begun(rollout(Stage(share=1.0, selector=parse_selector("zone=a"))), 5, seen(), at(0))
    assert now.wants("x", {"zone": "a"}, 4)
    assert not now.wants("x", {"zone": "b"}, 4)
    assert now.wants("x", {"zone": "b"}, 5)
    assert not rollout().wants("x", {}, 0)


def test_a_rollout_is_read_back_as_it_was_written() -> None:
    """Everything that the next process needs is in the document."""
    now = machine.begun(rollout(Stage(share=0.1, selector=parse_selector("a in (b, c)"))), 5, seen(), at(0))
    now = machine.advance(now, seen(BAD), at(3))
    saved = codec.Saved(
        now,
        canary={"r": Counters(by_code=(5, 0, 1), rejected=1, latency_buckets=(0, 3, 3))},
        rest={"r": Counters(by_code=(50,), latency_buckets=(50,))},
    )
    assert codec.decoded(codec.encoded(saved)) == saved
    for broken in ("{}", "[]", codec.encoded(saved).replace('"format":1', '"format":2'), '{"format":true}'):
        with pytest.raises(ValueError):
            codec.decoded(broken)


def test_documents_of_a_set_are_in_the_order_of_revisions() -> None:
    """So that the newest is the last."""
    names = [codec.document_name("default", number) for number in (1, 2, 10, 99, 100)]
    assert names == sorted(names)


def sample(at_s: float, calls: int, epoch: int = 1) -> Sample:
    """Return cumulative numbers."""
    return Sample(at_s, {"r": Counters(by_code=(calls,), in_flight=3)}, epoch)


def test_the_meter_counts_for_a_side_only_what_came_of_it() -> None:
    """Not what was before, not what a new run brings along, and each sample once."""
    meter = Meter()
    meter.sample("p", canary=False, sample=sample(0.0, 100), now_s=0.5)
    meter.sample("p", canary=False, sample=sample(1.0, 110), now_s=1.5)
    meter.sample("p", canary=False, sample=sample(2.0, 130), now_s=2.5)
    meter.sample("p", canary=False, sample=sample(2.0, 130), now_s=3.0)
    assert meter.rest["r"].calls == 20 and meter.rest["r"].in_flight == 0
    meter.sample("p", canary=True, sample=sample(3.0, 150), now_s=3.5)
    meter.sample("p", canary=True, sample=sample(4.0, 170), now_s=4.5)
    assert not meter.canary
    meter.sample("p", canary=True, sample=sample(5.0, 175), now_s=5.5)
    meter.sample("p", canary=True, sample=sample(6.0, 3, epoch=2), now_s=6.5)
    meter.sample("p", canary=True, sample=sample(7.0, 5, epoch=2), now_s=7.5)
    assert meter.canary["r"].calls == 7
    meter.sample("p", canary=None, sample=sample(8.0, 9, epoch=2), now_s=8.5)
    meter.sample("p", canary=True, sample=sample(9.0, 12, epoch=2), now_s=8.6)
    assert meter.canary["r"].calls == 7
    meter.next_stage()
    meter.sample("p", canary=True, sample=sample(10.0, 15, epoch=2), now_s=10.5)
    assert meter.canary["r"].calls == 3


def test_routes_are_bounded() -> None:
    """The busiest are kept apart, the others are one."""
    kept = bounded({f"r{n}": Counters(by_code=(n,)) for n in range(MAX_ROUTES + 50)})
    assert len(kept) == MAX_ROUTES + 1
    assert kept[OVERFLOW].calls == sum(range(50))
    assert f"r{MAX_ROUTES + 49}" in kept
