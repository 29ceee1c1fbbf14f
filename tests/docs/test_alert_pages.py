"""The rules and channels that the pages show are good ones."""

from __future__ import annotations

import pytest
import yaml

from seawall.cli.plain import to_message
from seawall.v1 import admin_alerts_pb2 as pb
from seawall_control.api import alert_codec, alert_rule_codec
from seawall_control.domain.alerts import builtin
from seawall_control.domain.alerts.checking import channel_problems, rule_problems
from tests.docs.pages import Block, blocks, read


@pytest.mark.parametrize("block", blocks("yml"), ids=lambda block: block.name)
def test_rules_and_channels(block: Block) -> None:
    """Each reads and can be stored."""
    value = yaml.safe_load(block.text)
    if "when" in value:
        rule = alert_rule_codec.rule_of(to_message(value, pb.AlertRule))
        assert rule_problems(rule, ["on-call"]) == []
    else:
        assert channel_problems(alert_codec.channel_of(to_message(value, pb.Channel))) == []


def test_there_are_examples() -> None:
    """The page has some of both."""
    values = [yaml.safe_load(block.text) for block in blocks("yml")]
    assert sum("when" in value for value in values) >= 3
    assert sum("when" not in value for value in values) >= 3


def test_every_built_in_rule_is_told_of() -> None:
    """alerts.md has a row for each, with its severity."""
    page = read("reference/alerts.md")
    for rule in builtin.RULES:
        row = next(line for line in page.splitlines() if line.startswith(f"| `{rule.name}` |"))
        severity = row.rpartition(" | ")[2]
        if rule.severity:
            assert severity == f"{rule.severity.name} |"
        else:
            assert severity.startswith("that of the [event](")


def test_every_kind_of_trigger_is_told_of() -> None:
    """alerts.md has a row for each."""
    page = read("reference/alerts.md")
    kinds = [name.removeprefix("ALERT_TRIGGER_KIND_") for name in pb.AlertTriggerKind.keys()[1:]]
    assert not [kind for kind in kinds if f"| `{kind}` |" not in page]
