"""`workers` and `overload` of a policy document."""

from __future__ import annotations

from typing import Any

import pytest

from seawall.v1 import policy_pb2
from seawall_policy import overload
from seawall_policy.compile import codes, compile_document, digest
from seawall_policy.compile.process import overload_options, worker_count


def document(workers: str = "", **settings: Any) -> policy_pb2.PolicyDocument:
    """Return a document that says something about the process."""
    made = policy_pb2.PolicyDocument(version="v1", workers=workers)
    for name, value in settings.items():
        if name == "event_loop_lag_ms":
            made.overload.event_loop_lag.FromMilliseconds(int(str(value)))
        else:
            setattr(made.overload, name, value)
    return made


@pytest.mark.parametrize(
    ("text", "cores", "count"), [("", 8, 1), ("1", 8, 1), ("64", 2, 64), ("auto", 6, 6), ("auto", 200, 64)]
)
def test_number_of_workers(text: str, cores: int, count: int) -> None:
    """One unless said; `auto` is one for each core, at most 64."""
    assert worker_count(text, cores) == count


@pytest.mark.parametrize("text", ["0", "65", "-1", "two", "1.5", "01", " 2", "AUTO"])
def test_no_number_of_workers(text: str) -> None:
    """Anything else is a mistake with its place and remedy, in a file as on a command line."""
    with pytest.raises(ValueError, match="from 1 to 64, or auto"):
        worker_count(text, 2)
    found = [v for v in compile_document(document(text)).violations if v.field == "workers"]
    assert [(v.code, v.warning) for v in found] == [(codes.OUT_OF_RANGE, False)]


def test_defaults_of_overload() -> None:
    """An absent section watches with the defaults."""
    options = overload_options(document())
    assert options.memory_limit_bytes == overload.DETECT
    assert (options.memory_shed, options.memory_refuse) == (0.95, 0.98)
    assert (options.descriptors, options.lag_s) == (0.9, 1.0)


def test_settings_of_overload() -> None:
    """What is said is taken."""
    options = overload_options(
        document(
            memory_limit="512MiB", memory_shed=80, memory_refuse=90, descriptors=50, event_loop_lag_ms=250
        )
    )
    assert options.memory_limit_bytes == 512 << 20
    assert (options.memory_shed, options.memory_refuse) == (0.8, 0.9)
    assert (options.descriptors, options.lag_s) == (0.5, 0.25)
    assert overload_options(document(memory_limit="off")).memory_limit_bytes == overload.OFF
    assert overload_options(document(event_loop_lag_ms=0)).lag_s == 0.0


@pytest.mark.parametrize(
    ("settings", "field", "code"),
    [
        ({"memory_limit": "much"}, "overload.memory_limit", codes.BAD_NUMBER),
        ({"memory_limit": "1MiB"}, "overload.memory_limit", codes.OUT_OF_RANGE),
        ({"memory_shed": 0.0}, "overload.memory_shed", codes.OUT_OF_RANGE),
        ({"memory_refuse": 101.0}, "overload.memory_refuse", codes.OUT_OF_RANGE),
        ({"memory_shed": 99.0}, "overload.memory_shed", codes.OUT_OF_RANGE),
        ({"descriptors": 0.5}, "overload.descriptors", codes.OUT_OF_RANGE),
        ({"event_loop_lag_ms": 61_000}, "overload.event_loop_lag", codes.OUT_OF_RANGE),
    ],
)
def test_mistakes_of_overload(settings: dict[str, Any], field: str, code: str) -> None:
    """Each mistake is an error at its place."""
    found = [v for v in compile_document(document(**settings)).violations if v.field.startswith("overload")]
    assert [(v.field, v.code, v.warning) for v in found] == [(field, code, False)]


def test_they_are_no_part_of_a_revision() -> None:
    """Two files that differ in them alone are the same policy."""
    assert digest(document("4", memory_limit="1GiB")) == digest(document())
