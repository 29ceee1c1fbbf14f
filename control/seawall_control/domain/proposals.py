"""Changes of policies that wait until somebody else approves them."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from typing import Final

from seawall_control.domain.errors import InvalidRequest, PermissionDenied
from seawall_control.domain.records import MAX_BODY_BYTES

KIND: Final = "policy.proposal"
MAX_WAITING: Final = 100
LIFE_US: Final = 7 * 86400 * 1_000_000
_MAX_CHANGE_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A proposal as it is kept. `change` is the serialised request."""

    id: str
    policy_set: str
    author: str
    person: str
    """Whose credential the author showed; see `Caller.person`."""
    message: str
    based_on: str
    """Hash of the set's newest revision when it was proposed; empty: there was none."""
    created_us: int
    change: bytes = b""

    @property
    def expires_us(self) -> int:
        """When it is dropped."""
        return self.created_us + LIFE_US


def check_other(proposal: Proposal, approver: str, person: str) -> None:
    """Raise `PermissionDenied` unless another person approves than who has proposed."""
    if approver == proposal.author:
        raise PermissionDenied(
            f"{approver} has proposed this change; somebody else approves it (seawall proposals approve "
            f"{proposal.id})"
        )
    if person == proposal.person:
        raise PermissionDenied(
            f"{approver} and {proposal.author}, who has proposed this change, are both {person}'s; somebody "
            "else approves it. A token that is another person's says so: seawall tokens create --owner PERSON"
        )


def encoded(proposal: Proposal) -> str:
    """Return the body of a proposal's document. Raise `InvalidRequest` for one that is too large."""
    body = json.dumps(
        {
            "policy_set": proposal.policy_set,
            "author": proposal.author,
            "person": proposal.person,
            "message": proposal.message,
            "based_on": proposal.based_on,
            "created_us": proposal.created_us,
            "change": base64.b64encode(zlib.compress(proposal.change)).decode("ascii"),
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
    if len(body.encode()) > MAX_BODY_BYTES:
        raise InvalidRequest("the document is too large to be proposed: 1 MiB when it is packed is the most")
    return body


def decoded(proposal_id: str, body: str) -> Proposal:
    """Return the proposal of a document. Raise ValueError for a damaged one."""
    value = json.loads(body)
    unpacking = zlib.decompressobj()
    return Proposal(
        id=proposal_id,
        policy_set=str(value["policy_set"]),
        author=str(value["author"]),
        person=str(value.get("person", value["author"])),
        message=str(value["message"]),
        based_on=str(value["based_on"]),
        created_us=int(value["created_us"]),
        change=unpacking.decompress(base64.b64decode(value["change"]), _MAX_CHANGE_BYTES),
    )
