"""Who may call what: the matrix, and refusals that say what to do."""

from __future__ import annotations

import pytest

from seawall_control.domain.access import (
    EVERY_ROLE,
    Caller,
    MethodAccess,
    Role,
    authorise,
    check_node,
    unknown_caller,
)
from seawall_control.domain.errors import PermissionDenied

MATRIX = {
    # the caller's role: what it may call
    Role.VIEWER: {Role.VIEWER},
    Role.OPERATOR: {Role.VIEWER, Role.OPERATOR, Role.REPORTER},
    Role.EDITOR: {Role.VIEWER, Role.EDITOR},
    Role.ADMIN: {Role.VIEWER, Role.OPERATOR, Role.EDITOR, Role.ADMIN, Role.REPORTER},
    Role.PROXY: {Role.PROXY},
    Role.REPORTER: {Role.REPORTER},
    Role.ENROLLEE: {Role.ENROLLEE},
    Role.NONE: set(),
}


def caller(*roles: Role, node: str = "") -> Caller:
    """Return a caller with these roles."""
    return Caller("alice", "token", frozenset(roles), "10.0.0.1", node)


@pytest.mark.parametrize("has", list(MATRIX))
@pytest.mark.parametrize("wants", list(Role))
def test_the_matrix(has: Role, wants: Role) -> None:
    """Every role with every other."""
    access = MethodAccess(wants, changes=False)
    if wants in MATRIX[has]:
        authorise(caller(has), "/a.B/C", access)
    else:
        with pytest.raises(PermissionDenied):
            authorise(caller(has), "/a.B/C", access)


def test_a_method_without_a_role_is_for_nobody() -> None:
    """Not even for somebody with all roles."""
    everything = caller(*Role)
    for access in (None, MethodAccess(Role.NONE, changes=False)):
        with pytest.raises(PermissionDenied, match="open to nobody"):
            authorise(everything, "/a.B/C", access)


def test_the_local_user_is_no_enrollee() -> None:
    """An enrolment token names the node; without one there is none to enrol."""
    assert Role.ENROLLEE not in EVERY_ROLE
    assert Role.NONE not in EVERY_ROLE


def test_a_refusal_names_the_role_and_the_remedy() -> None:
    """Whoever reads it knows what to ask for, and whom."""
    with pytest.raises(PermissionDenied, match=r"role operator; alice has viewer.*seawall tokens create"):
        authorise(caller(Role.VIEWER), "/a.B/C", MethodAccess(Role.OPERATOR, changes=True))
    assert "--token-file" in str(unknown_caller(local_only=True))
    assert "SEAWALL_TOKEN" in str(unknown_caller(local_only=False))


def test_a_proxy_is_the_node_of_its_credential() -> None:
    """Another name is refused; a caller without a node may speak for any."""
    check_node(caller(Role.PROXY, node="proxy-1"), "proxy-1")
    check_node(caller(Role.PROXY), "proxy-1")
    with pytest.raises(PermissionDenied, match="'proxy-1', but it says that it is 'proxy-2'"):
        check_node(caller(Role.PROXY, node="proxy-1"), "proxy-2")
