"""Who calls, and what they may call.

An RPC names one role (`seawall.v1.role`); a caller has one or several. The ladder is viewer,
operator or editor, admin; reporters, proxies and enrollees stand beside it. Whoever is not named may not:
there is no default role.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from seawall_control.domain.errors import PermissionDenied, Unauthenticated


class Role(IntEnum):
    """A role; the numbers are those of `seawall.v1.Role`."""

    NONE = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3
    PROXY = 4
    REPORTER = 5
    ENROLLEE = 6
    EDITOR = 7

    @property
    def label(self) -> str:
        """As people write it."""
        return self.name.lower()


_HOLDERS: Final[dict[Role, frozenset[Role]]] = {
    Role.NONE: frozenset(),
    Role.VIEWER: frozenset({Role.VIEWER, Role.OPERATOR, Role.EDITOR, Role.ADMIN}),
    Role.OPERATOR: frozenset({Role.OPERATOR, Role.ADMIN}),
    Role.EDITOR: frozenset({Role.EDITOR, Role.ADMIN}),
    Role.ADMIN: frozenset({Role.ADMIN}),
    Role.PROXY: frozenset({Role.PROXY}),
    Role.REPORTER: frozenset({Role.REPORTER, Role.OPERATOR, Role.ADMIN}),
    Role.ENROLLEE: frozenset({Role.ENROLLEE}),
}
"""Which roles satisfy the one that an RPC names."""

EVERY_ROLE: Final = frozenset(
    {Role.VIEWER, Role.OPERATOR, Role.EDITOR, Role.ADMIN, Role.PROXY, Role.REPORTER}
)
"""What the local user has. An enrolment names a node, so it always takes a token."""

TOKEN_ROLES: Final = EVERY_ROLE
"""Roles that an API token may be given."""


@dataclass(frozen=True, slots=True)
class MethodAccess:
    """What a method asks of its callers."""

    role: Role
    changes: bool
    """Whether a call of it is written down in the audit journal."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call, once that is known."""

    name: str
    """For people and for the audit: a token's name, `node/NAME`, `local user NAME`, `anonymous`."""
    kind: str
    """How it is known: `token`, `certificate`, `local`, `anonymous`, `enrolment`."""
    roles: frozenset[Role]
    address: str = ""
    """Where it calls from, without the port."""
    node: str = ""
    """The node that it speaks for; empty: it is no proxy, or, for a local user, any."""
    credential: str = ""
    """Which credential it showed: the id of a token or the serial number of a certificate; never a secret."""
    owner: str = ""
    """The person that the credential stands for; empty: nobody has said."""
    scope: frozenset[str] | None = None
    """The policy sets that it is limited to (domain/scopes.py); None: it is not."""
    expires_us: int = 0
    """When the credential is over, in microseconds since the epoch; 0: never."""

    @property
    def person(self) -> str:
        """Who it is, whichever of its credentials it shows."""
        return self.owner or self.name

    @property
    def proven(self) -> bool:
        """Whether the name was proven, so that what a request says about its author does not count."""
        return self.kind in {"token", "certificate", "enrolment"}

    def may(self, role: Role) -> bool:
        """Tell whether the caller satisfies a role."""
        return not self.roles.isdisjoint(_HOLDERS[role])


def authorise(caller: Caller, method: str, access: MethodAccess | None) -> None:
    """Raise `PermissionDenied` unless the caller may call the method; a method without a role is refused to
    everybody.
    """
    if access is None or access.role is Role.NONE:
        raise PermissionDenied(
            f"{method} is open to nobody: this control plane knows no role for it; "
            "look for a misspelt name, or a client that is newer than the control plane"
        )
    if not caller.may(access.role):
        roles = ", ".join(sorted(role.label for role in caller.roles)) or "no role"
        raise PermissionDenied(
            f"{method} takes the role {access.role.label}; {caller.name} has {roles}. An admin can make "
            f"another token: seawall tokens create --name NAME --role {access.role.label}"
        )


def check_node(caller: Caller, node: str) -> None:
    """Raise `PermissionDenied` when a proxy says that it is another node than its credential is for."""
    if caller.node and caller.node != node:
        raise PermissionDenied(
            f"the credential of this proxy is for node {caller.node!r}, but it says that it is {node!r}; "
            "set control.node, or enrol it under its name: seawall enrol token create --node NAME"
        )


def unknown_caller(*, local_only: bool) -> Unauthenticated:
    """Return the error for a call that shows no credential."""
    if local_only:
        return Unauthenticated(
            "this control plane takes calls without a token only from the user that runs it, on its own "
            "machine; send a token (--token-file or SEAWALL_TOKEN), which an admin makes with "
            "`seawall tokens create`"
        )
    return Unauthenticated(
        "this call shows no credential; send a token (--token-file or SEAWALL_TOKEN), which an admin makes "
        "with `seawall tokens create`"
    )
