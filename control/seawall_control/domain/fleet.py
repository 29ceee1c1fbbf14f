"""The fleet: what is remembered about a proxy, and where it stands in a rollout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from seawall_control.domain.errors import InvalidRequest, NotFound
from seawall_policy.names import NODE_RULE, is_node_name

MAX_LABELS: Final = 32
MAX_LABEL: Final = 128
MAX_REASONS: Final = 32
MAX_REASON: Final = 512


class Verdict(IntEnum):
    """What became of the last push."""

    NONE = 0
    ACK = 1
    NACK = 2


class Standing(IntEnum):
    """Where a proxy stands in a rollout; numbers of `seawall.v1.RolloutState`."""

    PENDING = 1
    APPLIED = 2
    REJECTED = 3
    DISCONNECTED = 4
    HELD = 5
    """It is not to have the newest revision yet, and has the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyRecord:
    """A proxy as the control plane knows it, also while it is away. Times are 0 when not known."""

    node: str
    boot_id: str = ""
    labels: Mapping[str, str]
    version: str = ""
    policy_set: str
    admin_address: str = ""
    start_time_us: int = 0
    last_seen_us: int = 0
    applied_revision: int = 0
    applied_hash: str = ""
    policy_source: str = ""
    last_verdict: Verdict = Verdict.NONE
    reasons: tuple[str, ...] = ()
    answered_us: int = 0
    refused: tuple[str, ...] = ()
    """Hashes of the contents that this run of the process refused."""


@dataclass(frozen=True, slots=True)
class RolloutRow:
    """One proxy in a rollout."""

    proxy: ProxyRecord
    standing: Standing


def checked_node(node: str) -> str:
    """Return the node name. Raise `InvalidRequest` when it is none."""
    if not is_node_name(node):
        raise InvalidRequest(f"node {node[:64]!r} is not a name: {NODE_RULE}")
    return node


def no_proxy(node: str) -> NotFound:
    """Return the error for a node that nobody knows."""
    return NotFound(f"there is no proxy {node[:128]!r}; `seawall get proxies` lists them")


def bounded_labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    """Return labels within their caps, sorted by key."""
    return {key[:MAX_LABEL]: labels[key][:MAX_LABEL] for key in sorted(labels)[:MAX_LABELS]}


def bounded_reasons(reasons: Sequence[str]) -> tuple[str, ...]:
    """Return reasons within their caps."""
    return tuple(reason[:MAX_REASON] for reason in reasons[:MAX_REASONS])


def standing(proxy: ProxyRecord, *, connected: bool, wanted_hash: str) -> Standing:
    """Return where a proxy stands towards the content that it is to have."""
    if not connected:
        return Standing.DISCONNECTED
    if proxy.applied_hash == wanted_hash:
        return Standing.APPLIED
    if wanted_hash in proxy.refused:
        return Standing.REJECTED
    return Standing.PENDING


def is_drifted(proxy: ProxyRecord, wanted_hash: str) -> bool:
    """Tell whether a proxy has something else in effect than the content that it is to have."""
    return bool(wanted_hash) and proxy.applied_hash != wanted_hash
