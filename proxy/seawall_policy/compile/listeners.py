"""Reading listeners: where the proxy listens, what it speaks there, how long connections live."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy.compile import codes
from seawall_policy.compile.addresses import address_mistake
from seawall_policy.compile.clusters import check_name, check_unique
from seawall_policy.compile.listener_limits import read_listener_limits
from seawall_policy.compile.report import Report
from seawall_policy.compile.scope import Scope
from seawall_policy.compile.tls import read_listener_tls
from seawall_policy.suggest import quoted
from seawall_policy.transport import (
    IDLE_LIMIT_S,
    MAX_AGE_JITTER,
    NO_LIMIT,
    PROXY_HEADER_LIMIT_S,
    SOCKET_MODE,
    Lifetime,
    ListenerSpec,
    ProxyHeader,
    unix_path,
)

MAX_LISTENERS: Final = 64
MAX_NETWORKS: Final = 1_000

_MODE: Final = re.compile(r"0?[0-7]{3}", re.ASCII)
_LOOPBACK: Final = re.compile(r"(127\.[0-9.]+|localhost|\[::1\]):[0-9]+", re.ASCII)


def read_listeners(scope: Scope, listeners: Iterable[policy_pb2.Listener]) -> tuple[ListenerSpec, ...]:
    """Return where the proxy listens, mistakes reported."""
    specs: list[ListenerSpec] = []
    names: set[str] = set()
    addresses: set[str] = set()
    for index, listener in enumerate(listeners):
        place = scope.at(index)
        if index >= MAX_LISTENERS:
            scope.error(codes.TOO_MANY, f"at most {MAX_LISTENERS} listeners are allowed")
            break
        if check_name(place, listener.name, "listener"):
            check_unique(place, listener.name, names, "listener")
        mistake = address_mistake(listener.address, lowest_port=0, unix=True)
        if mistake:
            (place / "address").error(codes.BAD_ADDRESS, f"{quoted(listener.address)} {mistake}")
        elif listener.address in addresses and not listener.address.endswith(":0"):
            (place / "address").error(
                codes.DUPLICATE_NAME,
                f"another listener already has the address {listener.address}; change one of them",
            )
        addresses.add(listener.address)
        specs.append(_read_listener(place, listener))
    return tuple(specs)


def listener_specs(document: policy_pb2.PolicyDocument) -> tuple[ListenerSpec, ...]:
    """Return the listeners of a document that has been checked."""
    return read_listeners(Scope(Report(), "listeners"), document.listeners)


def _read_listener(scope: Scope, listener: policy_pb2.Listener) -> ListenerSpec:
    return ListenerSpec(
        listener.name,
        listener.address,
        read_listener_tls(scope / "tls", listener.tls) if listener.HasField("tls") else None,
        _read_proxy_header(scope / "proxy_protocol", listener),
        _read_lifetime(scope / "connection", listener.connection),
        _read_mode(scope / "socket_mode", listener),
        read_listener_limits(scope / "limits", listener.limits),
    )


def _read_mode(scope: Scope, listener: policy_pb2.Listener) -> int:
    given = listener.socket_mode
    if not given:
        return SOCKET_MODE
    if not _MODE.fullmatch(given):
        scope.error(
            codes.OUT_OF_RANGE,
            f'{quoted(given)} is no mode; write three octal digits in quotes, such as "0660"',
        )
        return SOCKET_MODE
    if not unix_path(listener.address):
        scope.warn(codes.NO_EFFECT, "only a Unix socket has a mode; remove it")
    return int(given, 8)


def _read_proxy_header(scope: Scope, listener: policy_pb2.Listener) -> ProxyHeader | None:
    settings = listener.proxy_protocol
    if not listener.HasField("proxy_protocol"):
        return None
    if settings.HasField("enabled") and not settings.enabled:
        return None
    timeout_s = (scope / "timeout").duration(
        settings.timeout if settings.HasField("timeout") else None, "10ms", "5m", PROXY_HEADER_LIMIT_S
    )
    if len(settings.trusted) > MAX_NETWORKS:
        (scope / "trusted").error(
            codes.TOO_MANY, f"has {len(settings.trusted)} networks; at most {MAX_NETWORKS} are allowed"
        )
    networks: list[str] = []
    for index, given in enumerate(settings.trusted[:MAX_NETWORKS]):
        try:
            networks.append(str(ipaddress.ip_network(given)))
        except ValueError:
            (scope / "trusted").at(index).error(
                codes.BAD_ADDRESS, f"{quoted(given)} is no network; write 10.0.0.7 or 10.0.0.0/8"
            )
    if not settings.trusted and not unix_path(listener.address) and not _LOOPBACK.fullmatch(listener.address):
        scope.warn(
            codes.ANYONE_IS_TRUSTED,
            "whoever reaches this listener can claim any client address; "
            "add `trusted:` with the load balancer's networks",
        )
    return ProxyHeader(tuple(networks), timeout_s)


def _read_lifetime(scope: Scope, settings: policy_pb2.ListenerConnection) -> Lifetime:
    unlimited = not settings.HasField("max_age")
    if unlimited and settings.HasField("max_age_jitter"):
        (scope / "max_age_jitter").warn(
            codes.NO_EFFECT, "without max_age there is nothing to vary; remove it"
        )
    if unlimited and not settings.HasField("max_requests") and settings.HasField("max_age_grace"):
        (scope / "max_age_grace").warn(
            codes.NO_EFFECT, "without max_age or max_requests no connection comes to its end; remove it"
        )
    return Lifetime(
        (scope / "max_age").duration(
            settings.max_age if settings.HasField("max_age") else None, "1s", "24h", NO_LIMIT
        ),
        (scope / "max_age_jitter").number(
            settings.max_age_jitter if settings.HasField("max_age_jitter") else None, 0.0, 1.0, MAX_AGE_JITTER
        ),
        (scope / "max_age_grace").duration(
            settings.max_age_grace if settings.HasField("max_age_grace") else None, "0s", "24h", NO_LIMIT
        ),
        (scope / "idle_timeout").duration(
            settings.idle_timeout if settings.HasField("idle_timeout") else None, "1s", "24h", IDLE_LIMIT_S
        ),
        (scope / "max_requests").integer(
            settings.max_requests if settings.HasField("max_requests") else None, 1, 1_000_000_000, 0
        ),
    )
