"""`seawall diff` and `seawall apply`: from a file to a revision that every proxy has in effect."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from seawall.cli import exits, render
from seawall.cli.canary_options import How, rollout_options
from seawall.cli.options import (
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
    from seawall.client.sync import Seawall
    from seawall.v1.admin_policies_pb2 import (
        ApplyPolicyResponse,
        Change,
        GetRolloutResponse,
        PolicyFollower,
        Revision,
    )
    from seawall.v1.policy_pb2 import PolicyDocument

POLL_S = 0.1
VALUE_WIDTH = 160


def change_lines(changes: Sequence[Change]) -> str:
    """Return changed fields as text: `+` new, `-` gone, `~` changed; long values are cut (JSON has them
    whole).
    """
    lines = []
    for change in changes:
        before, after = render.clip(change.before, VALUE_WIDTH), render.clip(change.after, VALUE_WIDTH)
        if not before:
            lines.append(click.style(f"+ {change.field}: {after}", fg="green"))
        elif not after:
            lines.append(click.style(f"- {change.field}: {before}", fg="red"))
        else:
            lines.append(click.style(f"~ {change.field}: {before} → {after}", fg="yellow"))
    return "\n".join(lines)


@click.command()
@click.argument("file", required=False, type=click.Path())
@click.option("--from", "from_revision", type=WholeRange(0), default=0, help="Left side; default the newest.")
@click.option("--to", "to_revision", type=WholeRange(1), help="Right side, instead of FILE.")
@policy_set_option
@control_option
@output_option
@click.pass_context
def diff(
    ctx: click.Context,
    file: str | None,
    from_revision: int,
    to_revision: int | None,
    policy_set: str,
    target: str,
    output: str,
) -> None:
    """Show what applying FILE would change, or how two revisions differ. The control plane compares.

    Exit code: 0 no difference, 1 a difference, 2 and above an error.
    """
    if (file is None) == (to_revision is None):
        raise click.UsageError("Name a FILE, or a revision with --to.")
    from seawall.cli import policy_file, shapes
    from seawall.cli.root import report
    from seawall.errors import SeawallError

    with connect(target) as seawall:
        try:
            document = None
            if file is not None:
                document = policy_file.load_or_exit(
                    ctx, file, code=exits.USAGE, done="nothing was compared", base=base_of(seawall)
                )
            answer = seawall.policies.diff(
                document, from_revision=from_revision, to_revision=to_revision or 0, policy_set=policy_set
            )
        except SeawallError as error:
            # 1 would read as a difference
            ctx.exit(max(exits.USAGE, report(error)))
    data = {
        "from_revision": answer.from_revision,
        "to_revision": to_revision,
        "changes": [shapes.change(change) for change in answer.changes],
    }
    emit(output, data, lambda: change_lines(answer.changes))
    if not answer.changes:
        say(f"No difference from revision {answer.from_revision}.")
        ctx.exit(exits.OK)
    ctx.exit(exits.FAILED)


@click.command()
@click.argument("file", type=click.Path())
@message_option
@click.option("--dry-run", is_flag=True, help="Check and compare; store and push nothing.")
@wait_option
@rollout_options
@policy_set_option
@control_option
@output_option
@click.pass_context
def apply(
    ctx: click.Context,
    file: str,
    message: str,
    dry_run: bool,
    wait: float,
    how: How,
    policy_set: str,
    target: str,
    output: str,
) -> None:
    """Make FILE the newest revision and push it to every connected proxy, or to a part first (--canary).

    The file is checked here first, so that mistakes come with line and column. It is then compared with the
    newest revision and applied on top of exactly that one: when somebody else was faster, nothing happens.
    Each proxy's answer is shown as it comes.

    With --canary it goes to a part of the proxies; those are compared with the rest, and everybody gets it,
    or nobody: see `seawall rollout`.

    Policy sets that extend this one change with it. When one of them would have a mistake, nothing happens.

    Exit code: 1 when the file has mistakes, when a proxy refused the revision, or when one has not answered
    in time.
    """
    from seawall.cli import policy_file, shapes, staged

    with connect(target) as seawall:
        report = policy_file.report_or_exit(ctx, file, base=base_of(seawall))
        document = report.document
        known = {(finding.violation.field, finding.violation.code) for finding in report.warnings}
        base = _newest(seawall, policy_set)
        changes = seawall.policies.diff(document, from_revision=_number(base), policy_set=policy_set).changes
        if changes and base is not None:
            say(change_lines(changes))
        answer = seawall.policies.apply(
            document,
            etag="" if base is None else base.hash,
            message=message,
            policy_set=policy_set,
            validate_only=dry_run,
            rollout=how.plan,
            supersede=how.supersede,
            allow_shrink=how.allow_shrink,
        )
        for violation in answer.violations:
            if (violation.field, violation.code) not in known:  # another version may see more
                say(f"warning: {violation.field}: {violation.message} [{violation.code}]")
        _announce(answer, changed=bool(changes), dry_run=dry_run, base=_number(base))
        if answer.HasField("rollout") or dry_run:
            say(staged.first_line(answer))
        for follower in answer.followers:
            say(follower_line(follower, dry_run=dry_run))
        rollout = None
        if not dry_run:
            quiet = output != "table"
            rollout = follow_rollout(seawall, answer.revision.revision, policy_set, wait, quiet=quiet)
    data = {
        "revision": shapes.revision(answer.revision),
        "changed": answer.changed,
        "dry_run": dry_run,
        "changes": [shapes.change(change) for change in changes],
        "rollout": None if rollout is None else shapes.rollout(rollout),
        "staged": staged.shape(answer.rollout) if answer.HasField("rollout") else None,
        "targets": list(answer.targets),
        "followers": [
            {
                "revision": shapes.revision(one.revision),
                "staged": staged.shape(one.rollout) if one.HasField("rollout") else None,
                "targets": list(one.targets),
            }
            for one in answer.followers
        ],
    }
    emit(output, data, lambda: "")
    ctx.exit(exits.OK if rollout is None or wait == 0 else verdict(rollout))


def base_of(seawall: Seawall) -> Callable[[str], PolicyDocument]:
    """Return what gives the whole document of a policy set, for files that extend one."""
    return lambda name: seawall.policies.revision(policy_set=name).document


def follower_line(follower: PolicyFollower, *, dry_run: bool) -> str:
    """Return what became of a set that extends the changed one."""
    revision = follower.revision
    verb = "would follow" if dry_run else "follows"
    how = ", by stages" if follower.HasField("rollout") else ""
    number = len(follower.targets)
    proxies = f"{number} connected {'proxy' if number == 1 else 'proxies'}"
    return f"Policy set {revision.policy_set} {verb} with revision {revision.revision}{how} ({proxies})"


def _newest(seawall: Seawall, policy_set: str) -> Revision | None:
    from seawall.errors import NotFound

    try:
        return seawall.policies.revision(policy_set=policy_set)
    except NotFound:
        return None


def _number(revision: Revision | None) -> int:
    return 0 if revision is None else revision.revision


def _announce(answer: ApplyPolicyResponse, *, changed: bool, dry_run: bool, base: int) -> None:
    if dry_run:
        say(
            "Would become a new revision." if changed or base == 0 else f"No difference from revision {base}."
        )
    elif answer.changed:
        say(f"Revision {answer.revision.revision} ({answer.revision.hash[:12]})")
    else:
        say(f"Unchanged: revision {answer.revision.revision} is already the newest.")


def follow_rollout(
    seawall: Seawall, revision: int, policy_set: str, wait_s: float, *, quiet: bool
) -> GetRolloutResponse:
    """Wait until every connected proxy has answered `revision`, at most `wait_s`; print each answer as it
    comes.
    """
    from seawall.cli import shapes

    ends = time.monotonic() + wait_s
    printed: dict[str, str] = {}
    while True:
        rollout = seawall.policies.rollout(policy_set=policy_set)
        pending = False
        for item in rollout.proxies:
            shape = shapes.proxy_rollout(item)
            pending = pending or shape["state"] == "pending"
            if not quiet and shape["state"] != "pending" and printed.get(item.proxy) != shape["state"]:
                printed[item.proxy] = shape["state"]
                click.echo(proxy_line(shape, rollout.revision))
        if rollout.revision > revision:
            say(f"Revision {rollout.revision} has come after this one.")
            return rollout
        if not pending or time.monotonic() >= ends:
            break
        time.sleep(POLL_S)
    if not rollout.connected:
        say("No proxy is connected; each gets the revision when it connects.")
    elif pending and wait_s:
        say(f"Not every proxy has answered within {render.span(wait_s)}; see `seawall rollout status`.")
    return rollout


def proxy_line(shape: dict[str, Any], revision: int) -> str:
    """Return a proxy's answer as one line, with its reasons below."""
    cell = render.rollout(shape["state"])
    text = {
        "applied": f"revision {revision} in effect",
        "rejected": f"refused revision {revision}; revision {shape['applied_revision']} stays in effect",
        "disconnected": "not connected; it gets the revision when it is back",
        "held": f"keeps revision {shape['applied_revision']} for now",
    }.get(shape["state"], "")
    mark = click.style(cell.text.split()[0], fg=cell.fg)
    return "\n".join([f"{mark} {shape['proxy']}: {text}", *(f"    {reason}" for reason in shape["reasons"])])


def verdict(rollout: GetRolloutResponse) -> int:
    """Return the exit code for a rollout: fail when a connected proxy refused or has not answered."""
    from seawall.v1.admin_policies_pb2 import ROLLOUT_STATE_PENDING, ROLLOUT_STATE_REJECTED

    bad = any(item.state in {ROLLOUT_STATE_PENDING, ROLLOUT_STATE_REJECTED} for item in rollout.proxies)
    return exits.FAILED if bad else exits.OK
