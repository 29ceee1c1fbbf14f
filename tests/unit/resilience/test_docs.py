"""What the pages about in-process use show runs, and what they list is complete."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

from examples import in_process
from seawall import resilience
from seawall.resilience import breakers, stop_reporting
from seawall.resilience.backoff import PRESETS
from tests.docs.pages import Block, blocks, read

SNIPPETS = [block for block in blocks("python") if block.page == "how-to/use-in-process.md"]


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """Leave the process as it was."""
    yield
    stop_reporting()
    breakers._listeners = ()
    for breaker in breakers:
        breakers.remove(breaker.name)


@pytest.mark.parametrize("block", SNIPPETS, ids=lambda block: block.name)
def test_snippets_run(block: Block) -> None:
    """Every block of the how-to runs from top to bottom, with stand-ins for what it only names."""
    space: dict[str, Any] = {name: lambda *_: None for name in ("charge", "refund", "ship")}
    exec(compile(block.text, block.name, "exec"), space)
    channel = space.get("plain")
    if channel is not None:
        channel.close()


def test_the_example_shows_what_it_promises(capsys: pytest.CaptureFixture[str]) -> None:
    """Each part says its line."""
    in_process.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "retry: 7 herrings after 3 attempts",
        "breaker: CLOSED -> OPEN",
        "breaker: come back in 60 s",
        "degradation: begins",
        "degradation: is over",
        "degradation: answers [None, None, 7, 7]",
        "order: herring reserved",
        "order: herring released",
        "order: the courier does not answer",
    ]


def test_the_reference_names_everything() -> None:
    """Every public name, every setting of what is called, every preset with its numbers."""
    page = read("reference/python.md")
    assert not [name for name in resilience.__all__ if not re.search(rf"`[^`]*\b{name}\b", page)]
    for function in (
        resilience.retry,
        resilience.timeout,
        resilience.bulkhead,
        resilience.fallback,
        resilience.policy,
        resilience.report_to,
        resilience.virtual_time,
        breakers.add,
        resilience.GracefulDegradation,
        resilience.Policy,
        resilience.ErrorHandlingContext,
    ):
        for name in inspect.signature(function).parameters:
            if name not in {"classifier", "ignored"}:
                assert re.search(rf"\b{name}\b", page), (function, name)
    for name, settings in PRESETS.items():
        assert f"| `{name}`" in page
        assert re.search(rf"\| `{name}`[^|]*\| {settings.attempts} \|", page), name
    for field in ("Failure", "DegradationState", "RetryState"):
        for name in getattr(resilience, field).__dataclass_fields__:
            assert f"`{name}`" in page, (field, name)
