"""Categories, strategies and severities of failures."""

from __future__ import annotations

import pytest

from seawall_policy import classify, status

DEFAULTS = {
    "OK": ("unknown", "fail_fast"),
    "CANCELLED": ("unknown", "fail_fast"),
    "UNKNOWN": ("unknown", "fail_fast"),
    "INVALID_ARGUMENT": ("validation", "fail_fast"),
    "DEADLINE_EXCEEDED": ("transient", "retry"),
    "NOT_FOUND": ("permanent", "dead_letter"),
    "ALREADY_EXISTS": ("validation", "fail_fast"),
    "PERMISSION_DENIED": ("permanent", "dead_letter"),
    "RESOURCE_EXHAUSTED": ("resource", "queue"),
    "FAILED_PRECONDITION": ("validation", "fail_fast"),
    "ABORTED": ("transient", "retry"),
    "OUT_OF_RANGE": ("validation", "fail_fast"),
    "UNIMPLEMENTED": ("permanent", "dead_letter"),
    "INTERNAL": ("unknown", "fail_fast"),
    "UNAVAILABLE": ("transient", "retry"),
    "DATA_LOSS": ("permanent", "dead_letter"),
    "UNAUTHENTICATED": ("permanent", "dead_letter"),
}


@pytest.mark.parametrize("name", status.NAMES)
def test_default_category_and_strategy_of_every_code(name: str) -> None:
    """The table of the source schema, completed for the codes that it does not name."""
    code = status.CODE_BY_NAME[name]
    classifier = classify.Classifier()
    category = classify.CATEGORY_NAMES[classifier.category(code)]
    strategy = classify.STRATEGY_NAMES[classifier.strategy(code)]
    assert (category, strategy) == DEFAULTS[name]


def test_override_changes_one_code_only() -> None:
    """A policy's entry replaces both values of its code."""
    classifier = classify.Classifier({status.NOT_FOUND: (classify.TRANSIENT, classify.QUEUE)})
    assert classifier.category(status.NOT_FOUND) == classify.TRANSIENT
    assert classifier.strategy(status.NOT_FOUND) == classify.QUEUE
    assert classifier.category(status.DATA_LOSS) == classify.PERMANENT
    assert classify.Classifier().category(status.NOT_FOUND) == classify.PERMANENT


def test_override_with_one_value_unset_keeps_what_belongs_to_it() -> None:
    """A category alone brings its own strategy; a strategy alone keeps the category."""
    classifier = classify.Classifier(
        {status.INTERNAL: (classify.TRANSIENT, 0), status.ABORTED: (0, classify.FAIL_FAST)}
    )
    assert classifier.strategy(status.INTERNAL) == classify.RETRY
    assert classifier.category(status.ABORTED) == classify.TRANSIENT
    assert classifier.strategy(status.ABORTED) == classify.FAIL_FAST


@pytest.mark.parametrize(
    "override", [{17: (1, 1)}, {-1: (1, 1)}, {14: (6, 1)}, {14: (-1, 1)}, {14: (1, 5)}, {14: (1, -1)}]
)
def test_override_of_what_does_not_exist_is_refused(override: dict[int, tuple[int, int]]) -> None:
    """Both ends of each range."""
    with pytest.raises(ValueError, match="no such"):
        classify.Classifier(override)


@pytest.mark.parametrize("code", [-1, 17, 2**31])
def test_code_out_of_range_is_treated_as_unknown(code: int) -> None:
    """A peer may send any number."""
    classifier = classify.Classifier({status.UNKNOWN: (classify.PERMANENT, classify.QUEUE)})
    assert (classifier.category(code), classifier.strategy(code)) == (classify.PERMANENT, classify.QUEUE)
    assert classify.severity_for(code, "failed") == "MEDIUM"


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        ("CANCELLED", "LOW"),
        ("INVALID_ARGUMENT", "LOW"),
        ("NOT_FOUND", "LOW"),
        ("ALREADY_EXISTS", "LOW"),
        ("FAILED_PRECONDITION", "LOW"),
        ("OUT_OF_RANGE", "LOW"),
        ("UNAVAILABLE", "MEDIUM"),
        ("DEADLINE_EXCEEDED", "MEDIUM"),
        ("ABORTED", "MEDIUM"),
        ("RESOURCE_EXHAUSTED", "MEDIUM"),
        ("UNKNOWN", "MEDIUM"),
        ("PERMISSION_DENIED", "MEDIUM"),
        ("UNAUTHENTICATED", "MEDIUM"),
        ("UNIMPLEMENTED", "MEDIUM"),
        ("INTERNAL", "HIGH"),
        ("DATA_LOSS", "HIGH"),
    ],
)
def test_severity_of_a_failed_call(name: str, severity: str) -> None:
    """By code; an outcome that is no known word is treated as a failure."""
    assert classify.severity_for(status.CODE_BY_NAME[name], "failed") == severity
    assert classify.severity_for(status.CODE_BY_NAME[name], "?") == severity


@pytest.mark.parametrize(
    ("outcome", "severity"),
    [
        ("ok", "LOW"),
        ("retried", "LOW"),
        ("hedged", "LOW"),
        ("breaker_closed", "LOW"),
        ("breaker_half_open", "LOW"),
        ("fallback", "MEDIUM"),
        ("rejected", "MEDIUM"),
        ("breaker_opened", "HIGH"),
    ],
)
@pytest.mark.parametrize("code", [status.OK, status.UNAVAILABLE, status.INTERNAL])
def test_severity_by_outcome(outcome: str, severity: str, code: int) -> None:
    """Where the caller was served or refused, the code of the last attempt does not matter."""
    assert classify.severity_for(code, outcome) == severity
