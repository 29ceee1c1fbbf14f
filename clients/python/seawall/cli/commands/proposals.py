"""`seawall proposals`: changes of policies that one person proposes and another approves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from seawall.cli import render
from seawall.cli.options import (
    connect,
    control_option,
    emit,
    message_option,
    output_option,
    policy_set_option,
    say,
    whole,
)

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from seawall.v1.admin_proposals_pb2 import Proposal

    R = TypeVar("R", bound=Message)


def send(target: str, method: str, request: Message, response: type[R]) -> R:
    """Send an RPC of ProposalService."""
    with connect(target, timeout_s=30.0) as seawall:
        return seawall.call(f"/seawall.v1.ProposalService/{method}", request, response)


def shape(item: Proposal) -> dict[str, Any]:
    """Return a proposal under `-o json`."""
    from seawall.cli.shapes import time

    return {
        "id": item.id,
        "policy_set": item.policy_set,
        "author": item.author,
        "message": item.message,
        "created": time(item.create_time),
        "expires": time(item.expire_time),
        "based_on": item.based_on,
    }


@click.group()
def proposals() -> None:
    """Propose changes of policies, and approve what others have proposed.

    A control plane that was started with --two-person changes policies in no other way, except back to an
    earlier revision. Takes the role editor.
    """


@proposals.command()
@click.argument("file", type=click.Path())
@message_option
@policy_set_option
@control_option
@output_option
@click.pass_context
def create(ctx: click.Context, file: str, message: str, policy_set: str, target: str, output: str) -> None:
    """Check FILE and keep it until somebody else approves it, at most 7 days.

    It stands on the newest revision of its set: when another one is applied first, propose it anew.
    """
    from seawall.cli import policy_file
    from seawall.cli.commands.policy import base_of
    from seawall.v1 import admin_proposals_pb2 as pb

    with connect(target) as seawall:
        document = policy_file.load_or_exit(ctx, file, base=base_of(seawall))
    request = pb.ProposePolicyRequest()
    request.change.document.CopyFrom(document)
    request.change.policy_set = policy_set
    request.change.message = message
    made = send(target, "ProposePolicy", request, pb.ProposePolicyResponse).proposal
    emit(output, shape(made), lambda: made.id)
    say(f"Somebody else approves it: seawall proposals approve {made.id}")


@proposals.command("list")
@control_option
@output_option
def list_(target: str, output: str) -> None:
    """List what waits, the oldest first."""
    from seawall.v1 import admin_proposals_pb2 as pb

    found = whole(
        target,
        "/seawall.v1.ProposalService/ListProposals",
        pb.ListProposalsRequest(),
        pb.ListProposalsResponse,
    ).proposals
    items = [shape(item) for item in found]

    def table() -> str:
        rows: list[list[str | render.Cell]] = [
            [i["id"], i["policy_set"], i["author"], i["created"] or "-", render.clip(i["message"], 50) or "-"]
            for i in items
        ]
        return render.table(["ID", "SET", "AUTHOR", "CREATED", "MESSAGE"], rows)

    if not items:
        say("No proposals.")
    emit(output, {"proposals": items}, table if items else lambda: "")


@proposals.command()
@click.argument("proposal_id", metavar="ID")
@control_option
@output_option
def show(proposal_id: str, target: str, output: str) -> None:
    """Show what a proposal would change."""
    from seawall.cli import shapes
    from seawall.cli.commands.policy import change_lines
    from seawall.v1 import admin_proposals_pb2 as pb

    request = pb.GetProposalRequest(id=proposal_id)
    found = send(target, "GetProposal", request, pb.GetProposalResponse).proposal
    with connect(target) as seawall:
        answer = seawall.policies.diff(found.change.document, policy_set=found.policy_set)
    data = {**shape(found), "changes": [shapes.change(change) for change in answer.changes]}
    emit(output, data, lambda: change_lines(answer.changes))
    say(f"Proposed by {found.author} for policy set {found.policy_set}: {found.message or 'no message'}")


@proposals.command()
@click.argument("proposal_id", metavar="ID")
@control_option
@output_option
def approve(proposal_id: str, target: str, output: str) -> None:
    """Apply what somebody else has proposed."""
    from seawall.v1 import admin_proposals_pb2 as pb

    request = pb.ApproveProposalRequest(id=proposal_id)
    done = send(target, "ApproveProposal", request, pb.ApproveProposalResponse).applied
    number = done.revision.revision
    emit(output, {"revision": number, "hash": done.revision.hash}, lambda: f"revision {number}")
    say(f"Applied as revision {number}, by {done.revision.author}.")


@proposals.command()
@click.argument("proposal_id", metavar="ID")
@control_option
def reject(proposal_id: str, target: str) -> None:
    """Drop a proposal, your own or somebody else's."""
    from seawall.v1 import admin_proposals_pb2 as pb

    send(target, "RejectProposal", pb.RejectProposalRequest(id=proposal_id), pb.RejectProposalResponse)
    say("Dropped.")
