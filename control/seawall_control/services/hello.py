"""What a proxy says of itself at the start of its stream, and what is remembered of it from then on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from seawall_control.domain.fleet import ProxyRecord, Verdict, bounded_labels


@dataclass(frozen=True, slots=True, kw_only=True)
class HelloFacts:
    """What a proxy says of itself at the start of its stream."""

    node: str
    boot_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    policy_set: str = ""
    applied_revision: int = 0
    applied_hash: str = ""
    policy_source: str = ""
    start_time_us: int = 0
    admin_address: str = ""
    says_goodbye: bool = False


def is_same_run(hello: HelloFacts, before: ProxyRecord | None) -> bool:
    """Tell whether the process is the one that was here before."""
    return before is not None and before.boot_id == hello.boot_id != ""


def run_of(record: ProxyRecord) -> str:
    """Return what tells one run of a proxy's process from another."""
    return record.boot_id or str(record.start_time_us)


def record_of(hello: HelloFacts, before: ProxyRecord | None, *, policy_set: str, at_us: int) -> ProxyRecord:
    """Return what is remembered of a proxy that has come, given what was before; texts are cut to size."""
    # Numbers of another set say nothing about this one; and whoever may see this one only is not to read why
    # the proxy refused a revision of the other.
    has_moved = before is not None and before.policy_set != policy_set
    return ProxyRecord(
        node=hello.node,
        boot_id=hello.boot_id[:128],
        labels=bounded_labels(hello.labels),
        version=hello.version[:128],
        policy_set=policy_set,
        admin_address=hello.admin_address[:256],
        start_time_us=hello.start_time_us,
        last_seen_us=at_us,
        applied_revision=0 if has_moved else hello.applied_revision,
        applied_hash=hello.applied_hash[:128],
        policy_source=hello.policy_source[:32],
        last_verdict=before.last_verdict if before and not has_moved else Verdict.NONE,
        reasons=before.reasons if before and not has_moved else (),
        answered_us=before.answered_us if before and not has_moved else 0,
        # A new run may be a newer version that understands what the old one refused.
        refused=before.refused if before is not None and is_same_run(hello, before) else (),
    )
