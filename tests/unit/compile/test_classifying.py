"""Classification in policies: conditions, patterns, and entries that are never reached."""

from __future__ import annotations

import pytest

from seawall_policy import classify, status
from seawall_policy.classify import NO_RULE, Classifier
from seawall_policy.classify_rules import HEADERS, Failure
from tests.unit.compile.samples import errors, policy_of, warnings


def classifier_of(entries: str) -> Classifier:
    """Return the compiled classification of a policy."""
    result = policy_of(f"{{classify: [{entries}]}}")
    assert result.snapshot is not None, result.violations
    return result.snapshot.routes[0].policy.classifier


def test_codes_alone_need_no_rules() -> None:
    """A table answers for them."""
    classifier = classifier_of("{code: NOT_FOUND, category: transient}")
    assert classifier.rules == ()
    assert classifier.classify(Failure(status.NOT_FOUND, "", HEADERS)) == (
        classify.TRANSIENT,
        classify.RETRY,
        NO_RULE,
    )


def test_conditions_arrive() -> None:
    """Each condition ends up in the rule, in the order of the file."""
    classifier = classifier_of(
        "{code: INTERNAL, reason: NO_SPACE, domain: db.example, message: 'disk \\d+', phase: mid_stream, "
        "category: resource, strategy: queue}, {code: INTERNAL, strategy: retry}"
    )
    first, second = classifier.rules
    assert (first.code, first.reason, first.domain, first.phase) == (13, "NO_SPACE", "db.example", 3)
    assert first.message is not None
    assert first.message.text == "disk \\d+"
    assert (first.category, first.strategy) == (classify.RESOURCE, classify.QUEUE)
    assert (second.category, second.strategy) == (0, classify.RETRY)
    assert classifier.strategy(13) == classify.RETRY


@pytest.mark.parametrize(
    ("entry", "field", "code"),
    [
        ("{category: resource}", "[0].code", "SW0107"),
        ("{code: INTERNAL}", "[0]", "SW0107"),
        ("{code: OK, category: resource}", "[0].code", "SW0103"),
        ("{reason: no_space, category: resource}", "[0].reason", "SW0106"),
        ("{domain: '" + "x" * 254 + "', category: resource}", "[0].domain", "SW0106"),
        ("{message: '(?=a)', category: resource}", "[0].message", "SW0158"),
        ("{message: '(a)\\1', category: resource}", "[0].message", "SW0158"),
        ("{message: '" + "x" * 257 + "', category: resource}", "[0].message", "SW0158"),
        ("{code: INTERNAL, category: resource}, {code: INTERNAL, strategy: retry}", "[1].code", "SW0201"),
        ("{reason: A, category: resource}, {reason: A, strategy: retry}", "[1]", "SW0201"),
        (", ".join(f"{{reason: R{n}, category: resource}}" for n in range(65)), "", "SW0113"),
    ],
)
def test_mistakes(entry: str, field: str, code: str) -> None:
    """Each is told at its place."""
    assert errors(policy_of(f"{{classify: [{entry}]}}")) == [(f"policies.p.classify{field}", code)]


def test_special_before_general() -> None:
    """An entry behind one that matches everything it does is never reached."""
    general, special = (
        "{code: INTERNAL, category: transient}",
        "{code: INTERNAL, reason: X, category: resource}",
    )
    assert warnings(policy_of(f"{{classify: [{general}, {special}]}}")) == [
        ("policies.p.classify[1]", "SW0548")
    ]
    assert warnings(policy_of(f"{{classify: [{special}, {general}]}}")) == []
