"""`seawall rollout`: where a revision stands at every proxy, which revisions there were, and the way back.

The verbs for rollouts by stages are in rollout_staged.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from seawall.cli import exits, render
from seawall.cli.commands import rollout_staged
from seawall.cli.options import (
    DURATION,
    WholeRange,
    connect,
    control_option,
    emit,
    message_option,
    output_option,
    policy_set_option,
    say,
    wait_option,
)

if TYPE_CHECKING:
    from seawall.v1.admin_policies_pb2 import Revision


@click.group()
def rollout() -> None:
    """See how a revision arrives at the proxies; hold it, hurry it on, or go back to an older one."""


rollout.add_command(rollout_staged.list_)
rollout.add_command(rollout_staged.watch)
rollout.add_command(rollout_staged.pause)
rollout.add_command(rollout_staged.resume)
rollout.add_command(rollout_staged.promote)


@rollout.command()
@click.option("--wait", type=DURATION, default="0s", help="Wait this long for pending proxies.")
@policy_set_option
@control_option
@output_option
@click.pass_context
def status(ctx: click.Context, wait: float, policy_set: str, target: str, output: str) -> None:
    """Show what every proxy made of the newest revision.

    A refusal comes with its reasons; DRIFT marks proxies that have something else in effect. While a revision
    is being rolled out by stages, what is proven so far is shown as well.

    Exit code: 1 when a connected proxy refused the newest revision or has not answered.
    """
    from seawall.cli import shapes, staged
    from seawall.cli.commands.policy import follow_rollout, verdict

    with connect(target) as seawall:
        state = seawall.policies.rollout(policy_set=policy_set)
        if wait:
            state = follow_rollout(seawall, state.revision, policy_set, wait, quiet=True)
        drifted = sorted(proxy.node for proxy in seawall.operations.proxies() if proxy.drifted)
        under_way = rollout_staged.under_way(seawall, policy_set)
    shape = shapes.rollout(state) | {
        "drifted": drifted,
        "staged": None if under_way is None else staged.shape(under_way),
    }
    emit(output, shape, lambda: _status_text(shape))
    ctx.exit(verdict(state))


def _status_text(shape: dict[str, Any]) -> str:
    if not shape["revision"]:
        say("No policy has been applied yet: `seawall apply FILE`.")
        return ""
    head = f"Revision {shape['revision']} ({shape['hash'][:12]}): in effect at {shape['applied']} of "
    head += f"{shape['connected']} connected {'proxy' if shape['connected'] == 1 else 'proxies'}"
    now = datetime.now(UTC)
    rows = []
    for item in shape["proxies"]:
        at = datetime.fromisoformat(item["update_time"]) if item["update_time"] else None
        rows.append(
            [
                item["proxy"],
                render.rollout(item["state"]),
                _in_effect(item),
                {"ack": "ACK", "nack": "NACK"}.get(item["last_verdict"], "-"),
                render.Cell("yes", "yellow") if item["proxy"] in shape["drifted"] else render.Cell("no"),
                render.ago(at, now),
            ]
        )
    headers = ["PROXY", "STATE", "IN EFFECT", "ANSWER", "DRIFT", "SINCE"]
    parts = [head, render.table(headers, rows) if rows else "No proxy has ever connected."]
    parts.extend(
        f"{item['proxy']} refused it:\n" + "\n".join(f"  {reason}" for reason in item["reasons"])
        for item in shape["proxies"]
        if item["reasons"]
    )
    if shape["staged"] is not None:
        from seawall.cli import staged

        parts.append(staged.text(shape["staged"]))
    return "\n\n".join(parts)


def _in_effect(item: dict[str, Any]) -> str:
    """Return the revision in effect; a proxy whose own file holds the same policy needed no push and has no
    number.
    """
    if item["applied_revision"]:
        return str(item["applied_revision"])
    return "same content" if item["state"] == "applied" else "-"


@rollout.command()
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Most revisions to show."
)
@policy_set_option
@control_option
@output_option
def history(limit: int, policy_set: str, target: str, output: str) -> None:
    """List the revisions, newest first."""
    show_history(limit, policy_set, target, output)


def show_history(limit: int, policy_set: str, target: str, output: str) -> None:
    """Print revisions (`rollout history` and `get revisions`)."""
    from seawall.cli import shapes

    with connect(target) as seawall:
        items = list(seawall.policies.history(limit=limit, policy_set=policy_set))
    emit(output, {"revisions": [shapes.revision(item) for item in items]}, lambda: _history_text(items))
    if not items:
        say("No policy has been applied yet: `seawall apply FILE`.")


def _history_text(items: Sequence[Revision]) -> str:
    from seawall.cli import shapes

    if not items:
        return ""
    rows = [
        [
            str(item.revision),
            (shapes.time(item.create_time) or "-")[:19].replace("T", " "),
            item.hash[:12],
            item.author or "-",
            render.clip(item.message, 50) + (f" (back to {item.rollback_of})" if item.rollback_of else ""),
        ]
        for item in items
    ]
    return render.table(["REVISION", "TIME", "HASH", "AUTHOR", "MESSAGE"], rows, right="REVISION")


@rollout.command()
@click.option("--to-revision", type=WholeRange(1), help="Which one to bring back; default the one before.")
@message_option
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@wait_option
@policy_set_option
@control_option
@output_option
@click.pass_context
def undo(
    ctx: click.Context,
    to_revision: int | None,
    message: str,
    dry_run: bool,
    wait: float,
    policy_set: str,
    target: str,
    output: str,
) -> None:
    """Bring an older revision back, as a new one, and push it.

    While a revision is being rolled out by stages, that is taken back: everybody gets the one that the others
    have kept.
    """
    from seawall.cli import shapes
    from seawall.cli.commands.policy import change_lines, follow_rollout, verdict

    with connect(target) as seawall:
        newest = seawall.policies.revision(policy_set=policy_set)
        under_way = rollout_staged.under_way(seawall, policy_set)
        before = newest.revision - 1 if under_way is None else under_way.stable_revision
        wanted = to_revision or before
        if wanted < 1:
            raise click.UsageError("Revision 1 is the only one; there is nothing to go back to.")
        changes = seawall.policies.diff(
            from_revision=newest.revision, to_revision=wanted, policy_set=policy_set
        ).changes
        if changes:
            say(change_lines(changes))
        revision = seawall.policies.rollback(
            wanted, etag=newest.hash, message=message, policy_set=policy_set, validate_only=dry_run
        )
        rollout_ = None
        if dry_run:
            say(f"Would bring back revision {wanted}.")
        else:
            say(f"Revision {revision.revision} brings back revision {wanted}")
            quiet = output != "table"
            rollout_ = follow_rollout(seawall, revision.revision, policy_set, wait, quiet=quiet)
    data = {
        "revision": shapes.revision(revision),
        "dry_run": dry_run,
        "changes": [shapes.change(change) for change in changes],
        "rollout": None if rollout_ is None else shapes.rollout(rollout_),
    }
    emit(output, data, lambda: "")
    ctx.exit(exits.OK if rollout_ is None or wait == 0 else verdict(rollout_))
