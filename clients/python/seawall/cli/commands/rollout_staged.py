"""The verbs of `seawall rollout` for a revision that is rolled out by stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from seawall.cli import exits
from seawall.cli.options import (
    connect,
    control_option,
    emit,
    emit_line,
    output_option,
    policy_set_option,
    say,
)

if TYPE_CHECKING:
    from seawall.client.sync import Seawall
    from seawall.v1.admin_rollouts_pb2 import StagedRollout

reason_option = click.option("--reason", default="", help="Why; kept in the record.")


def under_way(seawall: Seawall, policy_set: str) -> StagedRollout | None:
    """Return the rollout of a set that has not ended; None when there is none."""
    from seawall.errors import NotFound

    try:
        found = seawall.rollouts.get(policy_set=policy_set)
    except NotFound:
        return None
    return None if found.HasField("end_time") else found


@click.command("list")
@click.option(
    "--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="Most rollouts to show."
)
@policy_set_option
@control_option
@output_option
def list_(limit: int, policy_set: str, target: str, output: str) -> None:
    """List the rollouts by stages, newest first, and how they ended."""
    from seawall.cli import staged

    with connect(target) as seawall:
        items = [staged.shape(item) for item in seawall.rollouts.list(limit=limit, policy_set=policy_set)]
    emit(output, {"rollouts": items}, lambda: staged.table(items) if items else "")
    if not items:
        say("No revision has been rolled out by stages yet: `seawall apply FILE --canary 10%`.")


@click.command()
@policy_set_option
@control_option
@output_option
@click.pass_context
def watch(ctx: click.Context, policy_set: str, target: str, output: str) -> None:
    """Follow the newest rollout by stages until it has ended.

    Exit code: 1 when it ended otherwise than with the revision in effect everywhere.
    """
    from seawall.cli import staged

    last = None
    before = ""
    with connect(target) as seawall:
        for item in seawall.rollouts.watch(policy_set=policy_set):
            last = staged.shape(item)
            text = staged.line(last)
            if text != before or output != "table":
                emit_line(output, last, lambda: text)  # noqa: B023 - used at once
            before = text
    if last is None or last["state"] not in staged.ENDED:
        say("The stream ended before the rollout did; watch again.")
        ctx.exit(exits.FAILED)
    if last["state"] != "succeeded" and output == "table":
        click.echo(staged.text(last))
    ctx.exit(exits.OK if last["state"] == "succeeded" else exits.FAILED)


@click.command()
@reason_option
@policy_set_option
@control_option
@output_option
def pause(reason: str, policy_set: str, target: str, output: str) -> None:
    """Hold the rollout at its stage.

    Its guards go on watching: harm still takes it back.
    """
    with connect(target) as seawall:
        _show(seawall.rollouts.pause(policy_set=policy_set, reason=reason), output)


@click.command()
@reason_option
@policy_set_option
@control_option
@output_option
def resume(reason: str, policy_set: str, target: str, output: str) -> None:
    """Let a rollout go on that is paused."""
    with connect(target) as seawall:
        _show(seawall.rollouts.resume(policy_set=policy_set, reason=reason), output)


@click.command()
@reason_option
@policy_set_option
@control_option
@output_option
def promote(reason: str, policy_set: str, target: str, output: str) -> None:
    """Give the revision to every proxy at once, whatever is proven."""
    with connect(target) as seawall:
        _show(seawall.rollouts.promote(policy_set=policy_set, reason=reason), output)


def _show(item: StagedRollout, output: str) -> None:
    from seawall.cli import staged

    data = staged.shape(item)
    emit(output, data, lambda: staged.text(data))
