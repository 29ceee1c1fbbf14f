"""Reading what makes calls known again: metadata keys, idempotency keys, and the journal."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy import degradation, journal
from seawall_policy.compile import codes
from seawall_policy.compile.inherit import Lineage
from seawall_policy.compile.scope import Scope
from seawall_policy.journal import IdempotencyOptions, JournalOptions
from seawall_policy.sizes import format_size
from seawall_policy.suggest import quoted

MAX_NAMES: Final = 8
"""Metadata keys of one setting; each is looked up for every call."""

MOST_BYTES: Final = 1 << 30
LEAST_BYTES: Final = 64 * 1024

_NAME: Final = re.compile(r"[a-z0-9_.-]{1,255}", re.ASCII)
_NOT_CALLERS: Final = frozenset({"te", "content-type", "content-length", "host", "user-agent", "traceparent"})


def read_idempotency(scope: Scope, policy: policy_pb2.Policy) -> IdempotencyOptions | None:
    """Return what keys mean; None where they are metadata like any other."""
    if not policy.HasField("idempotency"):
        return None
    scope = scope / "idempotency"
    own = policy.idempotency
    key = journal.DEFAULT_KEY
    if own.key:
        key = read_name(scope / "key", own.key) or key
    return IdempotencyOptions(
        key,
        own.generate,
        own.server_honours,
        _read_journal(scope / "journal", own.journal) if own.HasField("journal") else None,
    )


def _read_journal(scope: Scope, own: policy_pb2.Journal) -> JournalOptions:
    return JournalOptions(
        (scope / "ttl").duration(own.ttl if own.HasField("ttl") else None, "1s", "168h", journal.TTL_S),
        (scope / "max_entries").integer(
            own.max_entries if own.HasField("max_entries") else None, 1, 1_000_000, journal.MAX_ENTRIES
        ),
        read_memory(scope / "memory", own.memory if own.HasField("memory") else None, journal.MEMORY_BYTES),
        read_names(scope / "scope", own.scope) if own.scope else journal.DEFAULT_SCOPE,
    )


def read_recovered_after(scope: Scope, policy: policy_pb2.Policy) -> int:
    """Return how many successes in a row end a degradation."""
    given = policy.recovered_after if policy.HasField("recovered_after") else None
    return (scope / "recovered_after").integer(given, 1, degradation.MOST, degradation.RECOVERED_AFTER)


def read_memory(scope: Scope, value: int | None, default: int) -> int:
    """Return an amount of memory, 64 KiB to 1 GiB."""
    if value is None:
        return default
    if not LEAST_BYTES <= value <= MOST_BYTES:
        ends = f"{format_size(LEAST_BYTES)} to {format_size(MOST_BYTES)}"
        scope.error(codes.OUT_OF_RANGE, f"{format_size(value)} is out of range; allowed is {ends}")
        return default
    return value


def read_names(scope: Scope, names: Iterable[str]) -> tuple[bytes, ...]:
    """Return metadata keys, each once."""
    found: dict[bytes, None] = {}
    for index, name in enumerate(names):
        place = scope.at(index)
        if index >= MAX_NAMES:
            place.error(codes.TOO_MANY, f"at most {MAX_NAMES} metadata keys are allowed")
            break
        key = read_name(place, name)
        if key in found:
            place.warn(codes.REPEATED, f"{quoted(name)} is already in the list; remove it")
        if key:
            found[key] = None
    return tuple(found)


def read_name(scope: Scope, name: str) -> bytes:
    """Return a metadata key that callers may set; empty after a report."""
    if not _NAME.fullmatch(name) or name.endswith("-bin"):
        scope.error(
            codes.BAD_KEY, f"{quoted(name)} is no metadata key to go by; use lower case, and no `-bin` key"
        )
        return b""
    if name in _NOT_CALLERS or name.startswith(("grpc-", "seawall-")):
        scope.error(
            codes.BAD_KEY,
            f"{quoted(name)} belongs to the protocol or to Seawall, not to callers; use another",
        )
        return b""
    return name.encode("ascii")


def lint_idempotency(scope: Scope, own: policy_pb2.Policy, lineage: Lineage) -> None:
    """Warn about keys that change nothing."""
    if own.HasField("recovered_after") and not lineage.merged.fallback:
        (scope / "recovered_after").warn(
            codes.NO_EFFECT, "only a fallback can make a route degraded; add `fallback`, or remove it"
        )
    if not own.HasField("idempotency"):
        return
    scope = scope / "idempotency"
    merged = lineage.merged.idempotency
    if own.idempotency.generate and not merged.server_honours:
        (scope / "generate").warn(
            codes.NO_EFFECT,
            "a key that nobody but the server sees helps only if the server knows what to do with it; add "
            "`server_honours: true`",
        )
    elif not merged.server_honours and not merged.HasField("journal"):
        scope.warn(
            codes.NO_EFFECT,
            "nothing is done with the key; add `server_honours: true` or `journal: {}`",
        )
