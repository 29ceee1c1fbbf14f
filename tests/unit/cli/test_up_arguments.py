"""What `seawall up` hands on to its parts."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from seawall.cli import exits
from seawall.cli.commands.up import Setup, control_argv, up
from seawall_control.main import parser


def test_networks_of_alert_channels() -> None:
    """The control plane takes them as it is given them, each for itself."""
    setup = Setup(
        config="policy.yaml",
        data_dir="data",
        grpc="127.0.0.1:9090",
        http="127.0.0.1:9091",
        listen="",
        admin="127.0.0.1:8081",
        node="local",
        log_format="text",
        workers="",
        drain_grace_s=1.0,
        drain_limit_s=2.0,
        alert_networks=("127.0.0.0/8", "10.1.0.0/16"),
    )
    options = parser().parse_args(control_argv(setup)[3:])
    assert [str(network) for network in options.alert_allow_net] == ["127.0.0.0/8", "10.1.0.0/16"]


@pytest.mark.parametrize("node", ["../..", "/tmp/x", "a\n\x1b[31m"])
def test_a_name_that_leads_elsewhere_starts_nothing(node: str) -> None:
    """The proxy would refuse it, after a control plane was started and given its first policy."""
    done = CliRunner().invoke(up, ["--config", "missing.yaml", "--node", node])
    assert done.exit_code == exits.USAGE
    assert "is no node name" in done.output
    assert "\x1b" not in done.output
