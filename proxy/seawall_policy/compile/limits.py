"""Reading limits of calls at work and of rates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy import call_key, rate
from seawall_policy.call_key import CallKey
from seawall_policy.compile import codes
from seawall_policy.compile.scope import Scope
from seawall_policy.limit import options as limits
from seawall_policy.limit.options import LimitOptions
from seawall_policy.rate import RateLimitOptions
from seawall_policy.suggest import quoted

_NAME: Final = re.compile(r"[0-9a-z_.-]{1,128}")


def read_limit(scope: Scope, policy: policy_pb2.Policy) -> LimitOptions | None:
    """Return how many calls may be at work; a policy without `limit` does not care."""
    if not policy.HasField("limit"):
        return None
    scope = scope / "limit"
    settings = policy.limit
    most = (scope / "max_in_flight").integer(
        settings.max_in_flight if settings.HasField("max_in_flight") else None, 1, limits.MOST_PLACES, 1000
    )
    least = (scope / "min_in_flight").integer(
        settings.min_in_flight if settings.HasField("min_in_flight") else None, 1, limits.MOST_PLACES, 4
    )
    if settings.HasField("min_in_flight") and settings.HasField("max_in_flight") and least > most:
        (scope / "min_in_flight").error(
            codes.LIMIT_RANGE, f"min_in_flight {least} is more than max_in_flight {most}; swap them"
        )
    return LimitOptions(
        kind=(scope / "adaptive").choice(settings.adaptive, policy_pb2.LimitKind.values(), limits.NONE),
        max_in_flight=most,
        min_in_flight=least,
        initial=(scope / "initial").integer(
            settings.initial if settings.HasField("initial") else None, 1, limits.MOST_PLACES, 100
        ),
        queue=(scope / "queue").integer(
            settings.queue if settings.HasField("queue") else None, 0, limits.MOST_WAITING, 0
        ),
        queue_timeout_s=(scope / "queue_timeout").duration(
            settings.queue_timeout if settings.HasField("queue_timeout") else None, "1ms", "1h", 0.1
        ),
        header=_read_header(scope / "criticality_header", settings.criticality_header),
        criticality=(scope / "criticality").choice(
            settings.criticality, policy_pb2.Criticality.values(), limits.CRITICAL + 1
        )
        - 1,
        shares=_read_shares(scope / "shares", settings),
        mode=(scope / "mode").choice(settings.mode, policy_pb2.Mode.values(), limits.ENFORCE),
        fair=_read_fair(scope / "fair_share", settings),
        max_tenants=(scope / "fair_share" / "max_tenants").integer(
            settings.fair_share.max_tenants if settings.fair_share.HasField("max_tenants") else None,
            1,
            limits.MOST_TENANTS,
            limits.MAX_TENANTS,
        ),
        brownout=(scope / "brownout").number(
            settings.brownout if settings.HasField("brownout") else None,
            0,
            100,
            limits.BROWNOUT * 100.0,
            unit=" %",
        )
        / 100.0,
    )


def _read_fair(scope: Scope, settings: policy_pb2.Limit) -> CallKey | None:
    if not settings.HasField("fair_share"):
        return None
    if not settings.fair_share.key:
        (scope / "key").error(
            codes.MISSING, "say whose calls belong together, such as `key: metadata:x-tenant` or `key: peer`"
        )
        return None
    return CallKey(_read_key(scope / "key", settings.fair_share.key))


def _read_header(scope: Scope, name: str) -> bytes:
    if not name:
        return b""
    if not _is_key(name):
        scope.error(
            codes.BAD_METADATA,
            f"{quoted(name)} is no metadata key; use lower case, and no `-bin` or `grpc-` key",
        )
        return b""
    return name.encode("ascii")


def _is_key(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and not name.endswith("-bin") and not name.startswith("grpc-")


def _read_shares(scope: Scope, settings: policy_pb2.Limit) -> tuple[float, ...]:
    shares = list(limits.NO_SHARES)
    for index, entry in enumerate(settings.shares):
        place = scope.at(index)
        if not entry.criticality:
            (place / "criticality").error(codes.MISSING, "name the class, such as `criticality: critical`")
            continue
        number = (place / "criticality").choice(entry.criticality, policy_pb2.Criticality.values(), 1) - 1
        if not entry.HasField("share"):
            (place / "share").error(
                codes.MISSING, "say how much of the limit it is sure of, such as `share: 50%`"
            )
            continue
        share = (place / "share").number(entry.share, 0, 100, 0.0, unit=" %") / 100.0
        if shares[number] > 0.0:
            (place / "criticality").error(
                codes.DUPLICATE_NAME, f"{limits.CLASS_NAMES[number]} has a share already; keep one of the two"
            )
            continue
        shares[number] = share
    if sum(shares) > 1.0 + 1e-9:
        scope.error(
            codes.SHARES_TOO_LARGE,
            f"together {sum(shares) * 100:g} %; a limit has 100 % to promise, lower them",
        )
        return limits.NO_SHARES
    return tuple(shares)


def read_rate_limit(scope: Scope, policy: policy_pb2.Policy) -> RateLimitOptions | None:
    """Return how many calls may come in a second; a policy without `rate_limit` does not care."""
    if not policy.HasField("rate_limit"):
        return None
    scope = scope / "rate_limit"
    settings = policy.rate_limit
    if not settings.HasField("per_second"):
        (scope / "per_second").error(codes.MISSING, "say how many calls a second, such as `per_second: 100`")
    per_second = (scope / "per_second").number(
        settings.per_second if settings.HasField("per_second") else None, 0, 1_000_000, 1000.0, above=True
    )
    return RateLimitOptions(
        per_second=per_second,
        burst=(scope / "burst").integer(
            settings.burst if settings.HasField("burst") else None, 1, 1_000_000, 0
        ),
        key=_read_key(scope / "key", settings.key),
        max_keys=(scope / "max_keys").integer(
            settings.max_keys if settings.HasField("max_keys") else None, 1, rate.MOST_KEYS, 10_000
        ),
        mode=(scope / "mode").choice(settings.mode, policy_pb2.Mode.values(), rate.ENFORCE),
    )


def _read_key(scope: Scope, key: Sequence[str]) -> tuple[str, ...]:
    if len(key) > call_key.MOST_PARTS:
        scope.error(codes.TOO_MANY, f"has {len(key)} parts; at most {call_key.MOST_PARTS} are allowed")
    parts: list[str] = []
    for index, part in enumerate(key[: call_key.MOST_PARTS]):
        place = scope.at(index)
        name = part.removeprefix(call_key.METADATA)
        if part not in (call_key.PEER, call_key.METHOD) and (name == part or not _is_key(name)):
            place.error(
                codes.BAD_RATE_KEY,
                f"{quoted(part)} is no part of a key; use `peer`, `method` or `metadata:x-tenant`",
            )
        elif part in parts:
            place.warn(codes.REPEATED, f"{quoted(part)} is already in the key; remove it")
        else:
            parts.append(part)
    return tuple(parts)
