"""The soak test, seconds long: the hour is `make soak`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benchmarks.soak.judge import problems
from benchmarks.soak.run import Soak, course, report

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SECONDS = 12.0


def test_the_proxy_comes_back_to_where_it_was(tmp_path: Path) -> None:
    """After upstreams were killed and frozen, clients reset and policies replaced, nothing is left behind, no
    bystander's call failed and every failed call is explained.
    """
    soak = Soak(tmp_path, seed=7)
    # A loop of its own, as in the program.
    evidence = asyncio.run(course(soak, SECONDS))
    log = (tmp_path / "proxy.log").read_text()
    assert list(problems(evidence)) == [], f"{report(evidence)}\n{log[-4000:]}"
    assert evidence.by_kind["unary"]["OK"] > 100
    assert soak.rude["reset_with_calls"] > 0
