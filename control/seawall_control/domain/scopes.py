"""Tokens that are limited to policy sets.

Whoever has one may call the methods of this table and no other, and only about its own sets. A method that is
not here is refused, whatever its role: what nobody has thought through is not opened by being new.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from seawall_control.domain.access import Caller
from seawall_control.domain.errors import InvalidRequest, PermissionDenied
from seawall_control.domain.revisions import DEFAULT_SET, policy_set_name

MAX_SETS: Final = 100
_SERVICE: Final = "/seawall.v1.PolicyService"
SCOPED: Final[Mapping[str, tuple[str, ...]]] = {
    f"{_SERVICE}/ApplyPolicy": ("policy_set", "document.extends"),
    f"{_SERVICE}/RollbackPolicy": ("policy_set",),
    f"{_SERVICE}/DiffPolicy": ("policy_set", "document.extends"),
    f"{_SERVICE}/GetRevision": ("policy_set",),
    f"{_SERVICE}/ListRevisions": ("policy_set",),
    f"{_SERVICE}/GetRollout": ("policy_set",),
}
"""The fields of each method's request that name policy sets. The first is the set that it is about, where
nothing said means `default`; of the others nothing said means none.
"""


def checked_scope(names: Iterable[str]) -> frozenset[str]:
    """Return the policy sets of a token; none: it is not limited. Raise `InvalidRequest`."""
    found = frozenset(policy_set_name(name) for name in names)
    if len(found) > MAX_SETS:
        raise InvalidRequest(f"a token is limited to at most {MAX_SETS} policy sets")
    return found


def check_method(caller: Caller, method: str) -> None:
    """Raise `PermissionDenied` for a method that tokens with a scope may not call."""
    if caller.scope is not None and method not in SCOPED:
        raise PermissionDenied(
            f"{caller.name} is limited to {_named(caller.scope)}, and {method} is not about one policy set; "
            "use a token without --policy-set"
        )


def check_names(caller: Caller, method: str, names: Mapping[str, str]) -> None:
    """Raise `PermissionDenied` for a request about another set; `names` are the values of the fields of
    `SCOPED`.
    """
    if caller.scope is None:
        return
    check_method(caller, method)
    about, *others = SCOPED[method]
    wanted = [names.get(about) or DEFAULT_SET, *(name for field in others if (name := names.get(field)))]
    check_sets(caller.scope, wanted)


def check_sets(scope: frozenset[str] | None, wanted: Iterable[str]) -> None:
    """Raise `PermissionDenied` unless all these sets are in a scope; None: everything is."""
    if scope is None:
        return
    for name in wanted:
        if name not in scope:
            raise PermissionDenied(f"this token is limited to {_named(scope)}; {name[:128]!r} is another")


def _named(scope: frozenset[str]) -> str:
    names = sorted(scope)
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"policy set {', '.join(names[:5])}{more}"
