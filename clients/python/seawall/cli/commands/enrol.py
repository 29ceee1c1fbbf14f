"""`seawall enrol`: give proxies their identity, see who has one, take it away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from seawall.cli import render
from seawall.cli.options import DURATION, connect, control_option, emit, output_option, say

if TYPE_CHECKING:
    from seawall.v1.admin_access_pb2 import NodeCertificate


@click.group()
def enrol() -> None:
    """Give proxies their identity, see who has one, take it away.

    A proxy with an enrolment token (`control: {enrol_token_file: FILE}`) makes a key, is given a certificate
    for its node, and renews that by itself. `token create` and `revoke` take the role admin.
    """


@enrol.group()
def token() -> None:
    """Make enrolment tokens."""


@token.command()
@click.option("--node", required=True, metavar="NAME", help="Node name that the proxy will have.")
@click.option(
    "--ttl",
    metavar="TIME",
    type=DURATION,
    default="10m",
    show_default=True,
    help="How long it waits.",
)
@control_option
@output_option
def create(node: str, ttl: float, target: str, output: str) -> None:
    """Make a token and print it, once. It works once, for one proxy."""
    from seawall.cli.shapes import time

    with connect(target) as seawall:
        answer = seawall.access.create_enrolment_token(node, ttl=ttl)
    expires = time(answer.expire_time)
    emit(output, {"node": node, "secret": answer.secret, "expires": expires}, lambda: answer.secret)
    say(f"{node} may enrol once until {expires}. Put the token into its control.enrol_token_file.")


@enrol.command("list")
@click.option("--node", metavar="NAME", default="", help="Only this node.")
@control_option
@output_option
def list_(node: str, target: str, output: str) -> None:
    """List the certificates that proxies have."""
    from seawall.cli import access_shapes

    with connect(target) as seawall:
        items = list(seawall.access.certificates(node=node))
    emit(output, {"certificates": [access_shapes.certificate(item) for item in items]}, lambda: table(items))


def table(items: Sequence[NodeCertificate]) -> str:
    """Return certificates as a table."""
    from seawall.cli import access_shapes, shapes

    if not items:
        say("No proxy has enrolled. Begin: seawall enrol token create --node NAME")
        return ""
    now = datetime.now(UTC)
    rows: list[list[str | render.Cell]] = []
    for item in items:
        shape = access_shapes.certificate(item)
        expires = shapes.moment(item.expire_time)
        state = render.Cell("good", fg="green")
        if shape["revoked"]:
            state = render.Cell("revoked", fg="red")
        elif expires is not None and expires <= now:
            state = render.Cell("expired", fg="yellow")
        rows.append([item.node, state, shape["expires"] or "-", shape["created"] or "-", item.serial])
    return render.table(["NODE", "STATE", "EXPIRES", "ISSUED", "SERIAL"], rows)


@enrol.command()
@click.argument("node")
@click.option("--serial", metavar="HEX", default="", help="Only this certificate; default is all.")
@control_option
def revoke(node: str, serial: str, target: str) -> None:
    """Refuse a proxy's certificates from now on, and end its stream.

    The proxy itself goes on with the policy that it has. Enrolled again with a new token it is back.
    """
    with connect(target) as seawall:
        number = seawall.access.revoke_certificates(node, serial=serial)
    say(f"{number} certificate{'' if number == 1 else 's'} of {node} revoked.")


@enrol.command()
@control_option
@output_option
def ca(target: str, output: str) -> None:
    """Print the certificate of the control plane's authority, for --ca-file of other machines."""
    with connect(target) as seawall:
        found = seawall.access.authority()
    shape = {"certificate": found.certificate, "fingerprint": found.fingerprint}
    emit(output, shape, found.certificate.rstrip)
