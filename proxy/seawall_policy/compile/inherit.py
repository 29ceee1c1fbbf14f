"""What a policy is once everything that it extends is written out.

A policy's own settings win over those of the policy that it extends, setting by setting and message by
message, so that a policy may change one number of a breaker and keep the rest. Lists and durations are
replaced as a whole: a list of codes that grew by inheritance could not be read off the file. A parent's
`extends` ends with the parent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy import fieldpath
from seawall_policy.builtin import builtin_policies
from seawall_policy.compile import codes
from seawall_policy.compile.overlay import overlay
from seawall_policy.compile.report import Report
from seawall_policy.compile.retries import with_preset
from seawall_policy.suggest import did_you_mean, quoted

MAX_DEPTH: Final = 16
"""Longest line of policies that extend each other; nobody could follow a longer one."""


class Lineage:
    """A policy with everything it extends."""

    def __init__(
        self,
        name: str,
        chain: tuple[str, ...],
        merged: policy_pb2.Policy,
        own_attempts: int,
        own_hedge: bool = False,
    ) -> None:
        self.name: str = name
        self.chain: tuple[str, ...] = chain
        """The policy itself, then what it extends, and so on."""
        self.merged: policy_pb2.Policy = merged
        self.own_attempts: int = own_attempts
        """`max_attempts` as the policy itself, or its preset, says it; 0 when it does not."""
        self.own_hedge: bool = own_hedge
        """The policy itself says something about hedging."""


def resolve(own: Mapping[str, policy_pb2.Policy], report: Report) -> dict[str, Lineage]:
    """Return every usable policy by name, built-in ones included; report unknown parents and cycles."""
    known: dict[str, policy_pb2.Policy] = dict(builtin_policies())
    known.update((name, policy) for name, policy in sorted(own.items()) if name not in known)
    resolved: dict[str, Lineage] = {}
    for name, policy in known.items():
        chain = _chain(name, known, report)
        merged = policy_pb2.Policy()
        for ancestor in reversed(chain):
            overlay(merged, known[ancestor])
        merged.ClearField("extends")
        attempts = with_preset(policy.retry).max_attempts
        resolved[name] = Lineage(name, chain, merged, attempts, policy.HasField("hedge"))
    return resolved


def _chain(name: str, known: Mapping[str, policy_pb2.Policy], report: Report) -> tuple[str, ...]:
    chain = [name]
    seen = {name}
    while True:
        here = chain[-1]
        parent = known[here].extends
        if not parent:
            return tuple(chain)
        place = fieldpath.member(fieldpath.member("policies", here), "extends")
        if parent not in known:
            hint = did_you_mean(parent, known)
            report.error(place, codes.NO_SUCH_POLICY, f"there is no policy {quoted(parent)}.{hint}")
            return tuple(chain)
        if parent in seen:
            # Reported once, by the members of the cycle themselves; those who merely lead into it have no
            # mistake.
            if parent == name:
                way = " -> ".join([*chain, parent])
                report.error(
                    place, codes.EXTENDS_CYCLE, f"policies extend each other: {way}; remove one `extends`"
                )
            return tuple(chain)
        if len(chain) == MAX_DEPTH:
            report.error(
                place,
                codes.TOO_MANY,
                f"more than {MAX_DEPTH} policies extend each other in a row; shorten the line",
            )
            return tuple(chain)
        chain.append(parent)
        seen.add(parent)
