"""Seawall with its standard chain: deadline, retries with replay buffer and budget, breaker, statistics."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import tools
from benchmarks.processes import ROOT, Running, free_port, process, wait_for_port

POLICY = """\
version: v1
listeners:
  - {{name: main, address: "127.0.0.1:{port}"{listener_tls}}}
admin: 127.0.0.1:0
clusters:
  - {{name: backend, max_in_flight: 20000, endpoints: ["127.0.0.1:{backend}"]{cluster_tls}}}
policies:
  standard:
    timeout: 15s
    retry: {{max_attempts: 3, codes: [UNAVAILABLE], only_idempotent: false,
            budget: {{percent: 20%, min_per_second: 10, interval: 10s}}}}
    breaker: {{window: {{kind: count, size: 100}}, min_calls: 20, failure_rate: 50%}}
routes:
"""
ANY_ROUTE = "  - {name: all, match: {}, cluster: backend, policy: standard}\n"
ONE_ROUTE = "  - {{name: r{0}, match: {{service: bench.v1.S{0}}}, cluster: backend, policy: standard}}\n"


def policy(port: int, backend_port: int, routes: int, tls: bool) -> str:
    """Return the policy file."""
    listener_tls = cluster_tls = ""
    if tls:
        certificate, key = tools.certificate()
        listener_tls = f", tls: {{cert_file: {certificate}, key_file: {key}}}"
        cluster_tls = f", tls: {{ca_file: {certificate}}}"
    text = POLICY.format(port=port, backend=backend_port, listener_tls=listener_tls, cluster_tls=cluster_tls)
    if routes == 1:
        return text + ANY_ROUTE
    return text + "".join(ONE_ROUTE.format(number) for number in range(routes))


@contextmanager
def start(name: str, backend_port: int, routes: int, tls: bool, *, interpreted: bool) -> Iterator[Running]:
    """Run Seawall, compiled or interpreted."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "bench.yaml"
        config.write_text(policy(port, backend_port, routes, tls))
        environment = {
            "SEAWALL_INTERPRETED": "1" if interpreted else "",
            "SEAWALL_DATA_DIR": folder,
            "PYTHONPATH": ":".join(str(ROOT / part) for part in ("proxy", "control", "clients/python")),
        }
        arguments = [sys.executable, "-m", "seawall_proxy", "--config", str(config)]
        with process([*arguments, "--drain-grace", "0", "--drain-limit", "1"], environment) as child:
            wait_for_port(port, child)
            yield Running(name, child.pid, f"127.0.0.1:{port}")
