"""nginx with `grpc_pass` and one worker process."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import tools
from benchmarks.processes import Running, free_port, process, wait_for_port

CONFIG = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 15000; }}
http {{
  access_log off;
  client_max_body_size 0;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  http2_max_concurrent_streams 20000;
  upstream backend {{
    server 127.0.0.1:{backend} max_fails=5;
    keepalive 1024;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} {ssl} http2;
    {certificate}
    grpc_next_upstream error timeout http_503;
    grpc_read_timeout 15s;
    {locations}
  }}
}}
"""


def config(folder: str, port: int, backend_port: int, routes: int, tls: bool) -> str:
    """Return nginx.conf."""
    scheme = "grpcs" if tls else "grpc"
    action = f"{{ grpc_pass {scheme}://backend; }}"
    locations = [f"location /bench.v1.S{number}/ {action}" for number in range(routes)]
    certificate = ""
    if tls:
        certificate = "ssl_certificate {}; ssl_certificate_key {};".format(*tools.certificate())
    return CONFIG.format(
        folder=folder,
        port=port,
        backend=backend_port,
        ssl="ssl" if tls else "",
        certificate=certificate,
        locations=f"location / {action}" if routes == 1 else "\n    ".join(locations),
    )


@contextmanager
def start(name: str, backend_port: int, routes: int, tls: bool) -> Iterator[Running]:
    """Run nginx, with everything that it writes in a folder of its own."""
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if binary is None:
        raise tools.Missing("not installed; Debian's package is nginx-light")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nginx.conf"
        path.write_text(config(folder, port, backend_port, routes, tls))
        with process([binary, "-c", str(path), "-p", folder, "-e", f"{folder}/error.log"]) as child:
            wait_for_port(port, child)
            yield Running(name, child.pid, f"127.0.0.1:{port}")
