"""What stands between the caller and the services, and how it is configured.

Seawall runs `builtin/standard` as it is, on a route that says `idempotent: true` and, for the second table,
on one that does not. Envoy is tuned as its documentation advises for gRPC: retries on the gRPC statuses
that mean "try again" and on connection trouble, to another host, a limit for each try that hedges, outlier
detection that looks each second, a retry budget.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.peers import envoy
from benchmarks.processes import ROOT, free_port, process, wait_for_port

NOTHING: Final = "nothing"
ENVOY: Final = "envoy"
ADAPTIVE: Final = "envoy-adaptive"
SEAWALL: Final = "seawall"
ENVOY_ONCE: Final = "envoy-once"
SEAWALL_ONCE: Final = "seawall-once"

IDEMPOTENT: Final = (NOTHING, ENVOY, ADAPTIVE, SEAWALL)
ONCE: Final = (NOTHING, ENVOY_ONCE, SEAWALL_ONCE)
"""For methods that must not be carried out twice."""
ALL: Final = tuple(dict.fromkeys((*IDEMPOTENT, *ONCE)))

TITLES: Final = {
    NOTHING: "nothing",
    ENVOY: "Envoy, tuned",
    ADAPTIVE: "Envoy, tuned, adaptive concurrency",
    SEAWALL: "Seawall",
    ENVOY_ONCE: "Envoy, tuned",
    SEAWALL_ONCE: "Seawall",
}

Json = dict[str, object]


@dataclass(frozen=True)
class Door:
    """Where the caller knocks."""

    ports: tuple[int, ...]
    connections: int
    """To each port."""
    pid: int = 0
    """The proxy's process; 0 without one."""


Starter = Callable[[list[int]], AbstractContextManager[Door]]


def starter(name: str) -> Starter:
    """Return the way to start a stack in front of the services at some ports."""
    return {
        NOTHING: _nothing,
        ENVOY: lambda ports: _envoy(ports, idempotent=True, adaptive=False),
        ADAPTIVE: lambda ports: _envoy(ports, idempotent=True, adaptive=True),
        ENVOY_ONCE: lambda ports: _envoy(ports, idempotent=False, adaptive=False),
        SEAWALL: lambda ports: _seawall(ports, idempotent=True),
        SEAWALL_ONCE: lambda ports: _seawall(ports, idempotent=False),
    }[name]


@contextmanager
def _nothing(ports: list[int]) -> Iterator[Door]:
    yield Door(tuple(ports), 6)


# -- Seawall

_POLICY = """\
version: v1
listeners:
  - {{name: main, address: "127.0.0.1:{port}"}}
admin: 127.0.0.1:0
clusters:
  - {{name: services, endpoints: [{endpoints}]}}
routes:
  - {{name: all, match: {{}}, cluster: services, policy: builtin/standard{idempotent}}}
"""


def seawall_policy(port: int, ports: list[int], *, idempotent: bool) -> str:
    """Return the policy file."""
    return _POLICY.format(
        port=port,
        endpoints=", ".join(f'"127.0.0.1:{each}"' for each in ports),
        idempotent=", idempotent: true" if idempotent else "",
    )


@contextmanager
def _seawall(ports: list[int], *, idempotent: bool) -> Iterator[Door]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="efficacy-") as folder:
        config = Path(folder) / "efficacy.yaml"
        config.write_text(seawall_policy(port, ports, idempotent=idempotent))
        environment = {
            "SEAWALL_DATA_DIR": folder,
            "PYTHONPATH": ":".join(str(ROOT / part) for part in ("proxy", "control", "clients/python")),
        }
        arguments = [sys.executable, "-m", "seawall_proxy", "--config", str(config)]
        with process([*arguments, "--drain-grace", "0", "--drain-limit", "1"], environment) as child:
            wait_for_port(port, child)
            yield Door((port,), 16, child.pid)


# -- Envoy

_EXTENSIONS = "type.googleapis.com/envoy.extensions"
_ADAPTIVE = f"{_EXTENSIONS}.filters.http.adaptive_concurrency.v3.AdaptiveConcurrency"
_PREVIOUS_HOSTS = f"{_EXTENSIONS}.retry.host.previous_hosts.v3.PreviousHostsPredicate"


def envoy_config(port: int, ports: list[int], *, idempotent: bool, adaptive: bool) -> Json:
    """Return the bootstrap configuration."""
    return {
        "static_resources": {
            "listeners": [_envoy_listener(port, idempotent=idempotent, adaptive=adaptive)],
            "clusters": [_envoy_cluster(ports)],
        }
    }


def _envoy_listener(port: int, *, idempotent: bool, adaptive: bool) -> Json:
    route: Json = {
        "cluster": "services",
        "timeout": "0s",
        "max_stream_duration": {"grpc_timeout_header_max": "0s"},
        "retry_policy": _envoy_retry(idempotent=idempotent),
    }
    if idempotent:
        route["hedge_policy"] = {"hedge_on_per_try_timeout": True}
    filters: list[Json] = []
    if adaptive:
        gradient: Json = {
            "sample_aggregate_percentile": {"value": 90},
            "concurrency_limit_params": {"concurrency_update_interval": "0.1s"},
            "min_rtt_calc_params": {"interval": "60s", "request_count": 50},
        }
        config = {
            "@type": _ADAPTIVE,
            "gradient_controller_config": gradient,
            "enabled": {"default_value": True},
        }
        filters.append({"name": "envoy.filters.http.adaptive_concurrency", "typed_config": config})
    filters.append({"name": "envoy.filters.http.router", "typed_config": {"@type": envoy.ROUTER}})
    manager: Json = {
        "@type": envoy.HTTP_MANAGER,
        "stat_prefix": "efficacy",
        "codec_type": "HTTP2",
        "route_config": {
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}
            ]
        },
        "http_filters": filters,
    }
    chain: Json = {
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    }
    return {"address": envoy.address(port), "filter_chains": [chain]}


def _envoy_retry(*, idempotent: bool) -> Json:
    if not idempotent:
        # What was certainly not looked at.
        return {"retry_on": "connect-failure,refused-stream", "num_retries": 2}
    return {
        "retry_on": "connect-failure,refused-stream,reset,unavailable,internal,deadline-exceeded",
        "num_retries": 2,
        "per_try_timeout": "0.3s",
        "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {"@type": _PREVIOUS_HOSTS},
            }
        ],
        "host_selection_retry_max_attempts": 5,
    }


def _envoy_cluster(ports: list[int]) -> Json:
    return {
        "name": "services",
        "type": "STATIC",
        "lb_policy": "LEAST_REQUEST",
        "connect_timeout": "1s",
        "outlier_detection": {
            "consecutive_5xx": 5,
            "consecutive_gateway_failure": 5,
            "enforcing_consecutive_gateway_failure": 100,
            "interval": "1s",
            "base_ejection_time": "5s",
            "max_ejection_percent": 50,
        },
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_requests": 1024,
                    "retry_budget": {"budget_percent": {"value": 20}, "min_retry_concurrency": 10},
                }
            ]
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": envoy.HTTP_OPTIONS,
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
        "load_assignment": {
            "cluster_name": "services",
            "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": envoy.address(each)}} for each in ports]}
            ],
        },
    }


@contextmanager
def _envoy(ports: list[int], *, idempotent: bool, adaptive: bool) -> Iterator[Door]:
    binary = envoy.binary()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="efficacy-") as folder:
        path = Path(folder) / "envoy.json"
        path.write_text(json.dumps(envoy_config(port, ports, idempotent=idempotent, adaptive=adaptive)))
        command = [binary, "-c", str(path), "--concurrency", "1", "--disable-hot-restart", "-l", "error"]
        with process(command) as child:
            wait_for_port(port, child)
            yield Door((port,), 16, child.pid)
