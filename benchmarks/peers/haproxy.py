"""HAProxy with `proto h2` on both sides and one thread."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import tools
from benchmarks.processes import Running, free_port, process, wait_for_port

CONFIG = """\
global
  nbthread 1
  maxconn 9000
  tune.h2.max-concurrent-streams 20000
defaults
  mode http
  timeout connect 5s
  timeout client 15s
  timeout server 15s
  retries 2
  retry-on conn-failure empty-response 503
frontend main
  bind 127.0.0.1:{port} {listener}
{rules}
  default_backend backend
backend backend
  http-reuse always
  server one 127.0.0.1:{backend} {server}
"""


def config(folder: Path, port: int, backend_port: int, routes: int, tls: bool) -> str:
    """Return haproxy.cfg."""
    listener = server = "proto h2"
    if tls:
        certificate, key = tools.certificate()
        both = folder / "both.pem"
        both.write_text(certificate.read_text() + key.read_text())
        listener = f"ssl crt {both} alpn h2"
        server = f"ssl verify required ca-file {certificate} verifyhost localhost alpn h2"
    rules = [f"  use_backend backend if {{ path_beg /bench.v1.S{number}/ }}" for number in range(routes)]
    return CONFIG.format(
        port=port,
        backend=backend_port,
        listener=listener,
        server=server,
        rules="" if routes == 1 else "\n".join(rules),
    )


@contextmanager
def start(name: str, backend_port: int, routes: int, tls: bool) -> Iterator[Running]:
    """Run HAProxy."""
    binary = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if binary is None:
        raise tools.Missing("not installed; Debian's package is haproxy")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "haproxy.cfg"
        path.write_text(config(Path(folder), port, backend_port, routes, tls))
        with process([binary, "-f", str(path), "-db"]) as child:
            wait_for_port(port, child)
            yield Running(name, child.pid, f"127.0.0.1:{port}")
