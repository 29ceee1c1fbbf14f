"""Tokens that are limited to policy sets.

Whoever has one may call the methods of these tables and no other: those of the one about its own sets only,
and those of the other, which are about no set, to see what belongs to its sets. A method that is in neither
is refused, whatever its role: what nobody has thought through is not opened by being new.

Events and groups are in neither. An event says which proxy it came from and not which set that proxy followed
then; a proxy may have followed another one, and a group holds events of many. Statistics and breakers are the
fleet's together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from seawall_control.domain.access import Caller
from seawall_control.domain.errors import InvalidRequest, PermissionDenied
from seawall_control.domain.revisions import DEFAULT_SET, policy_set_name

MAX_SETS: Final = 100
_SERVICE: Final = "/seawall.v1.PolicyService"
_ROLLOUTS: Final = "/seawall.v1.RolloutService"
_OPERATIONS: Final = "/seawall.v1.OperationsService"
SCOPED: Final[Mapping[str, tuple[str, ...]]] = {
    f"{_SERVICE}/ApplyPolicy": ("policy_set", "document.extends"),
    f"{_SERVICE}/RollbackPolicy": ("policy_set",),
    f"{_SERVICE}/DiffPolicy": ("policy_set", "document.extends"),
    f"{_SERVICE}/GetRevision": ("policy_set",),
    f"{_SERVICE}/ListRevisions": ("policy_set",),
    f"{_SERVICE}/GetRollout": ("policy_set",),
    f"{_ROLLOUTS}/GetStagedRollout": ("policy_set",),
    f"{_ROLLOUTS}/ListStagedRollouts": ("policy_set",),
    f"{_ROLLOUTS}/WatchStagedRollout": ("policy_set",),
}
"""The fields of each method's request that name policy sets. The first is the set that it is about, where
nothing said means `default`; of the others nothing said means none.
"""
FILTERED: Final = frozenset({f"{_OPERATIONS}/ListProxies", f"{_OPERATIONS}/GetProxy"})
"""Methods whose servicers leave out what is of other sets (`is_visible`)."""


def checked_scope(names: Iterable[str]) -> frozenset[str]:
    """Return the policy sets of a token; none: it is not limited. Raise `InvalidRequest`."""
    found = frozenset(policy_set_name(name) for name in names)
    if len(found) > MAX_SETS:
        raise InvalidRequest(f"a token is limited to at most {MAX_SETS} policy sets")
    return found


def check_method(caller: Caller, method: str) -> None:
    """Raise `PermissionDenied` for a method that tokens with a scope may not call."""
    if caller.scope is not None and method not in SCOPED and method not in FILTERED:
        raise PermissionDenied(
            f"{caller.name} is limited to {_named(caller.scope)}, and {method} shows more than that; "
            "use a token without --policy-set"
        )


def check_names(caller: Caller, method: str, names: Mapping[str, str]) -> None:
    """Raise `PermissionDenied` for a request about another set; `names` are the values of the fields of
    `SCOPED`.
    """
    if caller.scope is None:
        return
    check_method(caller, method)
    if method in FILTERED:
        return
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


def is_visible(scope: frozenset[str] | None, policy_set: str) -> bool:
    """Tell whether what belongs to a set is shown to a caller with this scope."""
    return scope is None or (policy_set or DEFAULT_SET) in scope


def _named(scope: frozenset[str]) -> str:
    names = sorted(scope)
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"policy set {', '.join(names[:5])}{more}"
