"""The admin section of a policy file."""

from __future__ import annotations

import pytest

from seawall.v1 import policy_pb2
from seawall_policy.compile.admin import read_admin
from seawall_policy.compile.report import Report
from seawall_policy.compile.scope import Scope

TLS = policy_pb2.AdminTls(cert_file="a.pem", key_file="a.key")


def said(admin: policy_pb2.Admin) -> list[tuple[str, str, bool]]:
    """Return field, code and whether it is a warning."""
    report = Report()
    read_admin(Scope(report, "admin"), admin)
    return [(v.field, v.code, v.warning) for v in report.violations()]


@pytest.mark.parametrize("address", ["0.0.0.0:8081", "[::]:8081", "10.1.2.3:8081", "proxy.internal:8081"])
def test_a_secret_in_plaintext_where_others_can_read_it(address: str) -> None:
    """Is warned of; TLS, loopback, or no secret at all is not."""
    assert said(policy_pb2.Admin(address=address, token_file="t")) == [("admin.token_file", "SW0539", True)]
    assert said(policy_pb2.Admin(address=address, token_file="t", tls=TLS)) == []
    assert said(policy_pb2.Admin(address=address)) == []


@pytest.mark.parametrize("address", ["", "127.0.0.1:8081", "[::1]:8081", "localhost:0", "unix:///run/a.sock"])
def test_a_secret_that_stays_on_the_machine(address: str) -> None:
    """Is nobody's business."""
    assert said(policy_pb2.Admin(address=address, token_file="t")) == []


def test_tls_takes_both_files() -> None:
    """A certificate without a key serves nobody."""
    fields = [field for field, _, _ in said(policy_pb2.Admin(tls=policy_pb2.AdminTls(cert_file="a.pem")))]
    assert fields == ["admin.tls.key_file"]
    assert len(said(policy_pb2.Admin(tls=policy_pb2.AdminTls()))) == 2
