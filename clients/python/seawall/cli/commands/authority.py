"""`seawall authority`: change the control plane's certificate authority without losing a proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from seawall.cli import render
from seawall.cli.options import connect, control_option, emit, output_option, say

if TYPE_CHECKING:
    from seawall.v1.admin_access_pb2 import AuthorityRotation


@click.group()
def authority() -> None:
    """Change the control plane's certificate authority, step by step.

    `rotate` makes the next one beside the one that serves; proxies move to it as they renew, which `status`
    shows; `finish` makes it the only one. Give other machines the new file of `seawall enrol ca` in between.
    """


@authority.command()
@control_option
@output_option
def status(target: str, output: str) -> None:
    """Show where a rotation is, and which proxies have not renewed yet."""
    with connect(target) as seawall:
        show(seawall.access.authority_rotation(), output)


@authority.command()
@click.option(
    "--prepare",
    is_flag=True,
    help="Only make and trust the next one: copy the folder to other control planes, then rotate.",
)
@control_option
@output_option
def rotate(*, prepare: bool, target: str, output: str) -> None:
    """Make the next authority, and let proxies that renew have certificates of it."""
    with connect(target) as seawall:
        show(seawall.access.rotate_authority(prepare_only=prepare), output)
    if prepare:
        say("Copy the authority's folder to the other control planes now, then `seawall authority rotate`.")
    else:
        say("Give other machines the file of `seawall enrol ca` before you finish: it holds both.")


@authority.command()
@click.option("--force", is_flag=True, help="Also while proxies have not renewed: they must enrol again.")
@control_option
@output_option
def finish(*, force: bool, target: str, output: str) -> None:
    """Trust the next authority alone, and serve certificates of it."""
    with connect(target) as seawall:
        show(seawall.access.finish_authority_rotation(force=force), output)
    say("The old authority is trusted no more.")


def show(found: AuthorityRotation, output: str) -> None:
    """Write where a rotation is."""
    from seawall.cli import access_shapes

    shape = access_shapes.rotation(found)

    def text() -> str:
        lines = [f"Serving: {found.fingerprint}"]
        if not found.next_fingerprint:
            return "\n".join([*lines, "No rotation is under way."])
        lines.append(f"Next:    {found.next_fingerprint} ({shape['phase']})")
        lines.append(f"{found.renewed_count} nodes have renewed, {found.behind_count} have not.")
        if found.behind:
            rows: list[list[str | render.Cell]] = [
                [item["node"], item["serial"], item["expires"] or "-"] for item in shape["behind"]
            ]
            lines.append(render.table(["NODE", "SERIAL", "VALID UNTIL"], rows))
        return "\n".join(lines)

    emit(output, shape, text)
