"""`seawall tokens`: make, list and revoke API tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from seawall.cli import exits, render
from seawall.cli.options import DURATION, connect, control_option, emit, output_option, say

if TYPE_CHECKING:
    from seawall.v1.admin_access_pb2 import Token

_ROLES = ("viewer", "operator", "editor", "admin", "reporter", "proxy")


@click.group()
def tokens() -> None:
    """Make, list and revoke the API tokens of people and programs.

    A viewer looks; an operator acts on breakers, drains, rollouts and events too; an editor changes policies
    and runbooks; an admin does both, and makes tokens. A reporter reports events and reads nothing. A token
    with the role proxy is for the proxy whose node name it has. Takes the role admin, which the user that
    runs the control plane has on its machine.
    """


@tokens.command()
@click.option("--name", required=True, metavar="NAME", help="Who or what uses it, such as alice-laptop.")
@click.option(
    "--role",
    "roles",
    type=click.Choice(_ROLES),
    multiple=True,
    default=("viewer",),
    show_default=True,
    help="What its user may do; may be given several times.",
)
@click.option(
    "--ttl", metavar="TIME", type=DURATION, default="2160h", show_default=True, help="How long it works."
)
@click.option("--no-expiry", is_flag=True, help="It works until it is revoked.")
@click.option(
    "--policy-set",
    "policy_sets",
    metavar="NAMES",
    default="",
    help="Limit it to these policy sets, separated by commas: their revisions and nothing else.",
)
@click.option(
    "--owner",
    metavar="PERSON",
    default="",
    help="Whose it is, such as alice@example.com: with --two-person all tokens of one owner are one person. "
    "Default: yours.",
)
@control_option
@output_option
def create(
    *,
    name: str,
    owner: str,
    roles: Sequence[str],
    ttl: float,
    no_expiry: bool,
    policy_sets: str,
    target: str,
    output: str,
) -> None:
    """Make a token and print its secret, once: only a hash of it is kept."""
    from seawall.cli import access_shapes

    with connect(target) as seawall:
        answer = seawall.access.create_token(
            name,
            roles,
            ttl=None if no_expiry else ttl,
            owner=owner,
            policy_sets=[part.strip() for part in policy_sets.split(",") if part.strip()],
        )
    shape = access_shapes.token(answer.token)
    emit(output, {"token": shape, "secret": answer.secret}, lambda: answer.secret)
    until = f"until {shape['expires']}" if shape["expires"] else "until it is revoked"
    say(f"{name} may act as {', '.join(shape['roles'])} {until}. Keep the token now: it is not shown again.")


@tokens.command("list")
@control_option
@output_option
def list_(target: str, output: str) -> None:
    """List the tokens, without their secrets."""
    from seawall.cli import access_shapes

    with connect(target) as seawall:
        items = list(seawall.access.tokens())
    emit(output, {"tokens": [access_shapes.token(item) for item in items]}, lambda: table(items))


def table(items: Sequence[Token]) -> str:
    """Return tokens as a table."""
    from seawall.cli import access_shapes, shapes

    if not items:
        say("No tokens. Make one: seawall tokens create --name NAME --role operator")
        return ""
    now = datetime.now(UTC)
    rows: list[list[str | render.Cell]] = []
    for item in items:
        shape = access_shapes.token(item)
        expires = shapes.moment(item.expire_time)
        over = expires is not None and expires <= now
        limits = f" of {', '.join(shape['policy_sets'])}" if shape["policy_sets"] else ""
        rows.append(
            [
                item.name,
                ", ".join(shape["roles"]) + limits,
                render.Cell("expired", fg="red") if over else (shape["expires"] or "never"),
                f"{render.ago(shapes.moment(item.last_use_time), now)} ago"
                if shape["last_used"]
                else "never",
                item.owner or "-",
                item.creator or "-",
                item.id,
            ]
        )
    return render.table(["NAME", "ROLES", "EXPIRES", "LAST USED", "OWNER", "MADE BY", "ID"], rows)


@tokens.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@control_option
@click.pass_context
def revoke(ctx: click.Context, names: Sequence[str], target: str) -> None:
    """Make tokens useless, within seconds; streams that they opened end."""
    from seawall.errors import NotFound

    missing = 0
    with connect(target) as seawall:
        for name in names:
            try:
                seawall.access.revoke_token(name)
            except NotFound as error:
                say(f"error: {error}")
                missing += 1
            else:
                say(f"{name} is revoked.")
    ctx.exit(exits.FAILED if missing else exits.OK)
