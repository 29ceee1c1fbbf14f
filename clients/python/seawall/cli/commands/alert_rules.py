"""`seawall alerts rules`: what is watched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from seawall.cli import render
from seawall.cli.alert_calls import author, pages, read_file, send
from seawall.cli.options import control_option, emit, output_option, say

if TYPE_CHECKING:
    from seawall.v1 import admin_alerts_pb2 as pb

_OWN = ("builtin", "changed", "update_time")


@click.group()
def rules() -> None:
    """See and set rules, the built-in ones included."""


def _plain(rule: pb.AlertRule) -> dict[str, Any]:
    from seawall.cli.plain import to_plain

    return to_plain(rule)


def _get(target: str, name: str) -> pb.AlertRule:
    from seawall.v1 import admin_alerts_pb2 as pb

    return send(target, "GetAlertRule", pb.GetAlertRuleRequest(name=name), pb.GetAlertRuleResponse).rule


@rules.command("list")
@control_option
@output_option
def list_(target: str, output: str) -> None:
    """List the rules by name."""
    from seawall.cli import alert_shapes
    from seawall.v1 import admin_alerts_pb2 as pb

    def fetch(size: int, token: str) -> pb.ListAlertRulesResponse:
        request = pb.ListAlertRulesRequest(page_size=size, page_token=token)
        return send(target, "ListAlertRules", request, pb.ListAlertRulesResponse)

    found = pages(fetch, "rules", 10_000)
    rows: list[list[str | render.Cell]] = [
        [
            rule.name,
            render.Cell("off", "yellow") if rule.disabled else "on",
            render.severity(alert_shapes.severity(rule.severity)),
            alert_shapes.triggers(_plain(rule).get("when", [])),
            ", ".join(rule.channels) or "all",
            "changed" if rule.changed else "built in" if rule.builtin else f"version {rule.etag}",
        ]
        for rule in found
    ]
    emit(
        output,
        {"rules": [_plain(rule) for rule in found]},
        lambda: render.table(["RULE", "STATE", "SEVERITY", "WHEN", "CHANNELS", "FROM"], rows),
    )


@rules.command()
@click.argument("name")
@control_option
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
def show(name: str, target: str, output: str) -> None:
    """Show rule NAME in the form that `apply` reads."""
    found = {key: value for key, value in _plain(_get(target, name)).items() if key not in _OWN}
    emit(output, found, lambda: "")


@rules.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--dry-run", is_flag=True, help="Check only.")
@control_option
@output_option
def apply(file: Any, dry_run: bool, target: str, output: str) -> None:
    """Add or change a rule from FILE (YAML or JSON; `-` is stdin), in the form of `show`.

    With the etag that `show` gives, a change of somebody else in between is noticed.
    """
    from seawall.errors import NotFound
    from seawall.v1 import admin_alerts_pb2 as pb

    rule = read_file(file, pb.AlertRule)
    for name in _OWN:
        rule.ClearField(name)
    try:
        _get(target, rule.name)
    except NotFound:
        create = pb.CreateAlertRuleRequest(rule=rule, validate_only=dry_run, actor=author())
        kept = send(target, "CreateAlertRule", create, pb.CreateAlertRuleResponse).rule
    else:
        update = pb.UpdateAlertRuleRequest(rule=rule, validate_only=dry_run, actor=author())
        update.update_mask.paths.append("*")
        kept = send(target, "UpdateAlertRule", update, pb.UpdateAlertRuleResponse).rule
    emit(output, _plain(kept), lambda: "")
    say(f"{kept.name} is fine; nothing was changed." if dry_run else f"{kept.name} is in force.")


@rules.command()
@click.argument("name")
@control_option
def delete(name: str, target: str) -> None:
    """Delete rule NAME; a built-in one comes back as it was."""
    from seawall.v1 import admin_alerts_pb2 as pb

    request = pb.DeleteAlertRuleRequest(name=name, actor=author())
    send(target, "DeleteAlertRule", request, pb.DeleteAlertRuleResponse)
    say(f"{name} is as it was at first." if name.startswith("builtin/") else f"{name} is deleted.")


def _switch(target: str, name: str, *, disabled: bool) -> None:
    from google.protobuf.field_mask_pb2 import FieldMask

    from seawall.v1 import admin_alerts_pb2 as pb

    request = pb.UpdateAlertRuleRequest(
        rule=pb.AlertRule(name=name, disabled=disabled),
        update_mask=FieldMask(paths=["disabled"]),
        actor=author(),
    )
    send(target, "UpdateAlertRule", request, pb.UpdateAlertRuleResponse)
    say(f"{name} is {'disabled; its alerts resolve' if disabled else 'enabled'}.")


@rules.command()
@click.argument("name")
@control_option
def enable(name: str, target: str) -> None:
    """Ask rule NAME again."""
    _switch(target, name, disabled=False)


@rules.command()
@click.argument("name")
@control_option
def disable(name: str, target: str) -> None:
    """Ask rule NAME no longer; its alerts resolve."""
    _switch(target, name, disabled=True)
