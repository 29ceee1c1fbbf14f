"""Custom strategies: found, asked in order, and left out when they misbehave."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import cast

import pytest

from seawall_policy import classify, status
from seawall_policy.classify_rules import HEADERS, Failure
from seawall_proxy.runtime.strategies import (
    GROUP,
    LIMIT_S,
    FailureFacts,
    Strategies,
    Verdict,
    load_strategies,
)
from seawall_proxy.testing import Playbook
from tests.scenario.scenes import begin, snapshot

FAILURE = Failure(status.INTERNAL, "", HEADERS, b"deadlock%20found")


def knows_deadlocks(facts: FailureFacts) -> Verdict:
    """Tell deadlocks."""
    return ("transient", "retry") if "deadlock" in facts.message else None


def breaks(facts: FailureFacts) -> Verdict:
    """Raise."""
    raise RuntimeError(facts.code)


class Clock:
    """Time that passes by `step` at each look."""

    def __init__(self, step: float) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def test_the_first_opinion_counts() -> None:
    """None passes the question on; the facts are those of the failure."""
    told: list[FailureFacts] = []

    def watches(facts: FailureFacts) -> Verdict:
        told.append(facts)
        return None

    book = Strategies([("a", watches), ("b", knows_deadlocks), ("c", breaks)])
    assert book.classify(FAILURE, "checkout", b"/shop.v1.Orders/Get") == (classify.TRANSIENT, classify.RETRY)
    assert told == [
        FailureFacts("INTERNAL", "", "", "deadlock found", "headers", "checkout", "shop.v1.Orders/Get")
    ]
    assert book.disabled == {}
    assert book.classify(Failure(5, "", HEADERS), "r", b"/s/m") == (0, 0)
    assert list(book.disabled) == ["c"]


@pytest.mark.parametrize("verdict", [("nonsense", ""), ("transient",), "transient", 7])
def test_whoever_raises_or_answers_nonsense_is_out(verdict: object, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once, and the others are still asked."""
    book = Strategies([("a", lambda _: cast("Verdict", verdict)), ("b", knows_deadlocks)])
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            assert book.classify(FAILURE, "r", b"/s/m") == (classify.TRANSIENT, classify.RETRY)
    assert book.names == ["b"]
    assert len(caplog.records) == 1


def test_whoever_is_slow_is_out() -> None:
    """More than five milliseconds once: its answer counts, and it is not asked again."""
    book = Strategies([("a", knows_deadlocks)], Clock(LIMIT_S * 1.1))
    assert book.classify(FAILURE, "r", b"/s/m") == (classify.TRANSIENT, classify.RETRY)
    assert book.classify(FAILURE, "r", b"/s/m") == (0, 0)
    assert "ms" in book.disabled["a"]
    patient = Strategies([("a", knows_deadlocks)], Clock(LIMIT_S * 0.9))
    for _ in range(3):
        patient.classify(FAILURE, "r", b"/s/m")
    assert patient.disabled == {}


def test_entry_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An installed distribution offers a strategy; what cannot be loaded or called is left out."""
    (tmp_path / "shop_strategies.py").write_text(
        "def deadlocks(facts):\n    return ('transient', '') if 'deadlock' in facts.message else None\n"
        "number = 7\n"
    )
    info = tmp_path / "shop_strategies-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-strategies\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[{GROUP}]\ndeadlocks = shop_strategies:deadlocks\ngone = shop_strategies:gone\n"
        "number = shop_strategies:number\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    book = load_strategies()
    sys.modules.pop("shop_strategies", None)
    assert book is not None
    assert book.names == ["deadlocks"]
    assert book.classify(FAILURE, "r", b"/s/m") == (classify.TRANSIENT, 0)
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 2


def test_without_any() -> None:
    """No entry point, no book: the data path tests for None."""
    assert load_strategies([]) is None
    assert load_strategies([EntryPoint("x", "no.such.module:f", GROUP)]) is None


def test_events_carry_the_verdict_and_plain_calls_are_not_asked() -> None:
    """Only failures that are recorded are classified."""
    asked: list[str] = []

    def quota(facts: FailureFacts) -> Verdict:
        asked.append(facts.code)
        return "resource", ""

    with Playbook(snapshot()) as play:
        play.world.context.strategies = Strategies([("quota", quota)])
        for code in (0, 5, 13):
            begin(play)
            play.server().last.trailers_only(code)
            play.forget()
        assert asked == ["INTERNAL"]
        [record] = play.world.sink.calls
        assert (record.category, record.strategy, record.rule) == (classify.RESOURCE, classify.QUEUE, -1)
