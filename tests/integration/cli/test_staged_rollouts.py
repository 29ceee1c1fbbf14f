"""`seawall apply --canary` and the verbs of `seawall rollout` that go with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from seawall.cli.canary_options import make_plan
from seawall.client import Seawall
from tests.integration.cli.conftest import POLICY, Connect, Run
from tests.kit.processes import wait_until

pytestmark = pytest.mark.integration


def test_a_canary_is_followed_paused_and_promoted(
    run: Run, policy: Path, proxies: Connect, seawall: Seawall
) -> None:
    """Who is first is said before and after; the others are held, which is no failure."""
    for name in ("p1", "p2", "p3", "p4"):
        proxies(name)
    assert run("apply", str(policy)).code == 0
    policy.write_text(POLICY.replace("2s", "3s"))
    dry = run("apply", str(policy), "--canary", "30%", "--dry-run")
    assert "First for 30 % of the proxies: p" in dry.err
    assert run("rollout", "list", "-o", "json").json() == {"rollouts": []}
    ran = run("apply", str(policy), "--canary", "30%", "--bake", "10m", "--min-calls", "5", "-m", "slower")
    assert ran.code == 0, ran.err
    assert ran.out.count("revision 2 in effect") == 2
    assert ran.out.count("keeps revision 1 for now") == 2
    again = run("apply", str(policy), "--canary", "50%")
    assert again.code != 0
    assert "is being rolled out" in again.err
    status = run("rollout", "status")
    assert status.code == 0
    assert "Rollout of revision 2 over 1: running, stage 1 of 1" in status.out
    assert status.out.count("· held") == 2
    shape = run("rollout", "status", "-o", "json").json()
    assert shape["staged"]["stages"] == [{"percent": 30.0, "selector": "", "bake_s": 600.0}]
    assert shape["drifted"] == []
    assert "paused" in run("rollout", "pause", "--reason", "lunch").out
    assert "lunch" in run("rollout", "status").out
    assert run("rollout", "resume").code == 0
    assert run("rollout", "promote", "--reason", "fine").code == 0
    watched = run("rollout", "watch")
    assert (watched.code, "succeeded" in watched.out) == (0, True)
    listed = run("rollout", "list")
    assert "in effect at 4 connected proxies" in listed.out
    assert seawall.rollouts.get(2).message == "slower"


def test_undo_takes_a_canary_back(run: Run, policy: Path, proxies: Connect, seawall: Seawall) -> None:
    """To the content that the others kept, also when an earlier canary was superseded."""
    for name in ("p1", "p2"):
        proxies(name)
    assert run("apply", str(policy)).code == 0
    for seconds in ("3s", "4s"):
        policy.write_text(POLICY.replace("2s", seconds))
        assert run("apply", str(policy), "--canary", "50%", "--supersede").code == 0
    ran = run("rollout", "undo", "-m", "no")
    assert ran.code == 0, ran.err
    assert "brings back revision 1" in ran.err
    wait_until(lambda: seawall.policies.rollout().applied == 2, "everybody is back")
    states = {
        item["revision"]: item["state"] for item in run("rollout", "list", "-o", "json").json()["rollouts"]
    }
    assert states == {2: "cancelled", 3: "rolled_back"}
    assert run("rollout", "watch").code == 1
    assert run("rollout", "pause").code != 0


def test_stages_are_spelled_in_three_ways() -> None:
    """A share, a selector, a share of a selector."""
    plan = make_plan(("10%", "tier=canary", "20 % of zone in (a, b)"), bake=30, max_errors=0.5)
    assert [(s.percent, s.selector) for s in plan.stages] == [
        (10.0, ""),
        (0.0, "tier=canary"),
        (20.0, "zone in (a, b)"),
    ]
    assert not plan.stages[1].HasField("percent")
    assert plan.stages[0].bake.seconds == 30
    assert plan.guards.max_error_increase_percent == 0.5
    assert not plan.guards.HasField("min_calls")
    assert not plan.HasField("patience")


def test_guards_without_a_canary_are_a_mistake(run: Run, policy: Path) -> None:
    """They would be ignored, which nobody wants."""
    ran = run("apply", str(policy), "--bake", "5m")
    assert ran.code == 2
    assert "add --canary 10%" in ran.err
    assert run("apply", str(policy), "--canary", "10%", "--max-errors", "lots").code == 2
