"""A short run of every fuzz target: about a second each, with a seed that changes from day to day and is
printed.
"""

from __future__ import annotations

import os
import time

import pytest

from tests.fuzz.mutate import fuzz
from tests.fuzz.targets import TARGETS, Target

SEED = int(os.environ.get("SEED", time.time() // 86400))
SECONDS = 1.2


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_no_input_breaks_a_rule(target: Target) -> None:
    """A second's worth of mutants; `make fuzz` looks for longer, and with coverage."""
    run = fuzz(target, SECONDS, SEED)
    assert run.inputs > len(target.seeds())
    assert not run.findings, f"SEED={SEED}: {run.findings[0].data!r}: {run.findings[0].error!r}"
