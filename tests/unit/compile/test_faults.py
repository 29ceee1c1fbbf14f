"""Faults in policies: what must be said, what comes of it, and when it ends."""

from __future__ import annotations

import pytest

from seawall_policy import fault, status
from seawall_policy.compile import compile_document
from seawall_policy.fault import FaultOptions
from tests.unit.compile.samples import compiled, document, errors, policy_of, warnings

ABORT = "abort: {code: ABORTED, percent: 1%}"
UNTIL = "until: 2026-12-01T00:00:00Z"


def fault_of(settings: str) -> FaultOptions:
    """Return the compiled fault of a policy."""
    result = policy_of(f"{{fault: {{{settings}}}}}")
    assert result.snapshot is not None, result.violations
    options = result.snapshot.routes[0].policy.fault
    assert options is not None
    return options


def test_everything_arrives() -> None:
    """Each setting ends up where the data path looks for it."""
    options = fault_of(
        "abort: {code: DATA_LOSS, percent: 0.5%, message: a drill}, delay: {duration: 200ms, percent: 5%}, "
        "bandwidth: {per_second: 64KiB, percent: 10%}, max_active: 7, "
        "stream: {kind: stall, after_messages: 3, percent: 20%}, "
        "metadata: [{name: x-drill, value: 'yes'}], until: 2026-12-01T01:00:00+01:00"
    )
    assert options.shares == pytest.approx((0.005, 0.05, 0.1, 0.2))
    assert (options.abort_code, options.abort_message) == (status.DATA_LOSS, "a drill")
    assert (options.delay_s, options.bytes_per_second) == (0.2, 65_536)
    assert (options.stream_kind, options.stream_after) == (fault.STREAM_STALL, 3)
    assert options.metadata == ((b"x-drill", b"yes"),)
    assert options.max_active == 7
    assert options.until_s == 1_796_083_200.0


def test_defaults() -> None:
    """What is not said."""
    options = fault_of(f"stream: {{percent: 1%}}, {UNTIL}")
    assert (options.stream_kind, options.stream_after) == (fault.STREAM_ABORT, 1)
    assert options.stream_code == status.UNAVAILABLE
    assert options.max_active == 100
    assert options.shares[:3] == (0.0, 0.0, 0.0)


def test_modes() -> None:
    """Shadow is compiled with everything else, off is no fault at all, and 100 % of nothing hits nobody."""
    assert not fault_of(f"{ABORT}, {UNTIL}").shadow
    assert fault_of(f"{ABORT}, {UNTIL}, mode: shadow").shadow
    result = policy_of(f"{{fault: {{{ABORT}, {UNTIL}, mode: off}}}}")
    assert result.snapshot is not None
    assert result.snapshot.routes[0].policy.fault is None
    all_of_them = f"abort: {{code: ABORTED, percent: 100%}}, {UNTIL}"
    for mode, warned in (("enforce", True), ("shadow", False)):
        found = warnings(policy_of(f"{{fault: {{{all_of_them}, mode: {mode}}}}}"))
        assert ("policies.p.fault.abort.percent" in [place for place, _ in found]) == warned


def test_no_fault() -> None:
    """A policy without one has None."""
    result = policy_of("{}")
    assert result.snapshot is not None
    assert result.snapshot.routes[0].policy.fault is None


@pytest.mark.parametrize(
    ("settings", "field", "code"),
    [
        (ABORT, "until", "SW0107"),
        (UNTIL, "", "SW0107"),
        (f"abort: {{percent: 1%}}, {UNTIL}", "abort.code", "SW0107"),
        (f"abort: {{code: ABORTED}}, {UNTIL}", "abort.percent", "SW0107"),
        (f"delay: {{percent: 1%}}, {UNTIL}", "delay.duration", "SW0107"),
        (f"bandwidth: {{percent: 1%}}, {UNTIL}", "bandwidth.per_second", "SW0107"),
        (f"stream: {{}}, {UNTIL}", "stream.percent", "SW0107"),
        (f"abort: {{code: OK, percent: 1%}}, {UNTIL}", "abort.code", "SW0103"),
        (f"stream: {{code: OK, percent: 1%}}, {UNTIL}", "stream.code", "SW0103"),
        (f"abort: {{code: ABORTED, percent: 0%}}, {UNTIL}", "abort.percent", "SW0102"),
        (f"abort: {{code: ABORTED, percent: 101%}}, {UNTIL}", "abort.percent", "SW0102"),
        (f'abort: {{code: ABORTED, percent: 1%, message: "ü"}}, {UNTIL}', "abort.message", "SW0102"),
        (f"delay: {{duration: 2h, percent: 1%}}, {UNTIL}", "delay.duration", "SW0102"),
        (f"bandwidth: {{per_second: 10, percent: 1%}}, {UNTIL}", "bandwidth.per_second", "SW0102"),
        (f"stream: {{after_messages: 1000001, percent: 1%}}, {UNTIL}", "stream.after_messages", "SW0102"),
        (f"{ABORT}, max_active: 0, {UNTIL}", "max_active", "SW0102"),
        (f"{ABORT}, metadata: [{{name: X, value: v}}], {UNTIL}", "metadata[0].name", "SW0111"),
        (f"{ABORT}, until: tomorrow", "until", "SW0157"),
        (f"{ABORT}, until: 2026-12-01", "until", "SW0157"),
        (f"{ABORT}, until: '2026-12-01T00:00:00'", "until", "SW0157"),
        (f"{ABORT}, until: '2026-13-01T00:00:00Z'", "until", "SW0157"),
    ],
)
def test_mistakes(settings: str, field: str, code: str) -> None:
    """Each is told at its place; a fault without an end and one that ends with OK are none."""
    where = f"policies.p.fault.{field}" if field else "policies.p.fault"
    assert errors(policy_of(f"{{fault: {{{settings}}}}}")) == [(where, code)]


def test_inherited_parts_complete_each_other() -> None:
    """What is missing is asked of the policy with everything it extends."""
    result = compiled(
        f"policies: {{base: {{fault: {{{ABORT}, {UNTIL}}}}}, "
        "p: {extends: base, fault: {abort: {percent: 2%}}}}\n"
        "routes: [{name: r, cluster: shop, policy: p}]"
    )
    assert result.snapshot is not None, result.violations
    options = result.snapshot.routes[0].policy.fault
    assert options is not None
    assert options.shares[0] == 0.02
    assert options.abort_code == status.ABORTED


NOW = 1_796_083_200.0 - 3600.0


@pytest.mark.parametrize(
    ("wall_s", "code"),
    [
        (None, None),
        (NOW, None),
        (NOW + 3600.0, "SW0545"),
        (NOW - 86_400.0 + 3600.0, None),
        (NOW - 86_400.0 + 3599.0, "SW0546"),
    ],
)
def test_when_it_ends(wall_s: float | None, code: str | None) -> None:
    """An end that has passed, or is more than a day ahead, is a warning."""
    text = (
        f"policies: {{p: {{fault: {{{ABORT}, {UNTIL}}}}}}}\nroutes: [{{name: r, cluster: shop, policy: p}}]"
    )
    result = compile_document(document(text), wall_s=wall_s)
    expected = [] if code is None else [("policies.p.fault.until", code)]
    assert warnings(result) == expected


@pytest.mark.parametrize(
    ("settings", "field", "code"),
    [
        ("abort: {code: ABORTED, percent: 100%}", "abort.percent", "SW0547"),
        ("stream: {kind: stall, code: ABORTED, percent: 1%}", "stream.code", "SW0512"),
        ("stream: {kind: drop_trailers, after_messages: 2, percent: 1%}", "stream.after_messages", "SW0512"),
    ],
)
def test_warnings(settings: str, field: str, code: str) -> None:
    """What is allowed and hardly meant."""
    assert warnings(policy_of(f"{{fault: {{{settings}, {UNTIL}}}}}")) == [(f"policies.p.fault.{field}", code)]
    chosen = "abort: {code: ABORTED, percent: 100%}, metadata: [{name: x-a, value: b}]"
    assert warnings(policy_of(f"{{fault: {{{chosen}, {UNTIL}}}}}")) == []
