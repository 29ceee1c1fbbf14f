"""What `seawall up` hands on to its parts."""

from __future__ import annotations

from seawall.cli.commands.up import Setup, control_argv
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
