"""Policy sets that extend each other: which of them change together.

A revision holds what it extends written out, so a change of a base is a change of every set that extends it:
all of them get a new revision in one transaction, or none does. A set that was rolled back keeps the base's
revision that it had then, until the base or the set itself is changed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from seawall_control.domain.errors import BaseMoved, InvalidRequest
from seawall_control.domain.revisions import Draft

MAX_LINE: Final = 64
"""Bases that are looked at for a circle; lines are far shorter."""
MAX_FOLLOWERS: Final = 200
"""Sets that one change may concern beside the one that is changed."""


def check_pin(draft: Draft, newest: int) -> None:
    """Raise `BaseMoved` for a draft that is made of another than the newest revision of its base."""
    if draft.base and not draft.rollback_of and draft.base_revision != newest:
        raise BaseMoved(draft.policy_set)


def check_followers(draft: Draft, extending: Iterable[str], drafts: Sequence[Draft]) -> None:
    """Raise `BaseMoved` when a set that extends a changed one is not among the drafts."""
    there = {one.policy_set for one in drafts}
    if not there.issuperset(extending):
        raise BaseMoved(draft.policy_set)


def check_circle(draft: Draft, bases: Sequence[str]) -> None:
    """Raise `BaseMoved` when a draft extends itself through its bases, nearest first, as they are with it:
    somebody else has closed the circle from the other side. No set may have changed its content by that, so
    that numbers of revisions do not show it.
    """
    if draft.policy_set in bases:
        raise BaseMoved(draft.policy_set)


def check_line(policy_set: str, bases: Sequence[str], *, longest: int) -> None:
    """Raise `InvalidRequest` for a set that would extend itself, or whose line of bases, nearest first, is
    too long.
    """
    line = " -> ".join([policy_set, *bases])
    if policy_set in bases:
        raise InvalidRequest(f"extends: policy sets would extend each other: {line}; remove one `extends`")
    if len(bases) >= longest:
        raise InvalidRequest(
            f"extends: more than {longest} policy sets would extend each other in a row: {line}; "
            "shorten the line"
        )


def in_order(policy_set: str, extending: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the sets that change with one, each after what it extends; `extending` names those that extend
    each. Raise `InvalidRequest` when there are too many.
    """
    found: list[str] = []
    left = [policy_set]
    while left:
        for name in extending.get(left.pop(0), ()):
            if name not in found and name != policy_set:
                found.append(name)
                left.append(name)
    if len(found) > MAX_FOLLOWERS:
        raise InvalidRequest(
            f"{len(found)} policy sets extend {policy_set}; at most {MAX_FOLLOWERS} may change at once"
        )
    return found
