"""A proxy whose admin pages are served over TLS, as a process."""

from __future__ import annotations

import ssl
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from tests.kit.certificates import Authority
from tests.kit.processes import PATIENCE_S, READY_LIMIT_S, running

pytestmark = pytest.mark.integration

POLICY = """\
version: v1
listeners: [{name: main, address: "127.0.0.1:0"}]
admin: {address: "127.0.0.1:0", token_file: secret, tls: {cert_file: %s, key_file: %s}}
clusters: [{name: c, endpoints: ["127.0.0.1:1"]}]
routes: [{name: r, cluster: c}]
"""
SECRET = "0123456789abcdef"


def test_pages_with_a_secret_over_tls(tmp_path: Path) -> None:
    """As a policy file asks for; what cannot be served ends the start with the name of the file."""
    authority = Authority(tmp_path)
    pair = authority.issue("admin", "localhost")
    (tmp_path / "secret").write_text(SECRET)
    config = tmp_path / "policy.yaml"
    arguments = ["-m", "seawall_proxy", "--config", str(config), "--data-dir", str(tmp_path / "data")]
    config.write_text(POLICY % (pair.cert.name, pair.key.name))
    with running("proxy", [*arguments, "--log", "json"], tmp_path) as proxy:
        proxy.wait_ready()
        port = int(proxy.ready["admin"].rpartition(":")[2])
        context = ssl.create_default_context(cafile=str(authority.path))
        for headers, status in (({}, 401), ({"authorization": f"Bearer {SECRET}"}, 200)):
            connection = HTTPSConnection("localhost", port, timeout=PATIENCE_S, context=context)
            connection.request("GET", "/status", headers=headers)
            assert connection.getresponse().status == status
            connection.close()
        assert proxy.terminate() == 0
    config.write_text(POLICY % ("gone.pem", pair.key.name))
    with running("proxy", [*arguments, "--log", "json"], tmp_path) as proxy:
        assert proxy.process.wait(READY_LIMIT_S) == 1
        assert "admin.tls" in proxy.log() and "gone.pem" in proxy.log()
