"""Options of long-running commands from the environment."""

from __future__ import annotations

import re
from typing import Any

import click
import pytest
from click.testing import CliRunner

from seawall.cli.commands import serve, up
from seawall.cli.environment import FromEnvironment, variable
from seawall.cli.root import root
from seawall_control.main import parser


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the control plane is started with."""
    found: list[list[str]] = []

    def main(arguments: list[str]) -> int:
        found.append(arguments)
        return 0

    monkeypatch.setattr("seawall_control.main.main", main)
    return found


def run(environment: dict[str, str], *arguments: str) -> Any:
    """Run `seawall control`."""
    # Through the root: a command that is run on its own keeps the help option of that run.
    return CliRunner().invoke(root, ["control", *arguments], env=environment)


def test_every_option_has_a_variable() -> None:
    """The command, the option, in capitals; those that have one of their own keep it."""
    for command in (serve.control, serve.proxy, up.up):
        assert isinstance(command, FromEnvironment)
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                names = [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar or []
                own = variable(command.name or "", parameter.opts[0])
                assert own in names or parameter.opts[0] in {"--data-dir", "--store"}, parameter.opts
    assert variable("control", "--http-allow-origin") == "SEAWALL_CONTROL_HTTP_ALLOW_ORIGIN"


def test_the_command_line_wins(told: list[list[str]]) -> None:
    """A variable stands in for an option that is not given."""
    set_there = {
        "SEAWALL_CONTROL_HTTP": "127.0.0.1:1",
        "SEAWALL_CONTROL_GRPC": "127.0.0.1:2",
        "SEAWALL_CONTROL_HTTP_ALLOW_ORIGIN": "https://a https://b",
        "SEAWALL_CONTROL_OPEN_METRICS": "1",
        "SEAWALL_CONTROL_REQUIRE_CREDENTIALS": "0",
    }
    assert run(set_there, "--grpc", "127.0.0.1:3").exit_code == 0
    text = " ".join(told[0])
    assert "--http 127.0.0.1:1" in text and "--grpc 127.0.0.1:3" in text
    assert "--http-allow-origin=https://a --http-allow-origin=https://b" in text
    assert "--open-metrics" in text and "--require-credentials" not in text


def test_the_age_of_records_of_an_older_system(told: list[list[str]]) -> None:
    """It is read after ours."""
    older = {"CONTAINER_CLEANUP_LOG_FILES_DAYS": "7"}
    for environment, days in (
        (older, "7.0"),
        ({**older, "SEAWALL_CONTROL_RETENTION_DAYS": "9"}, "9.0"),
        ({}, "30.0"),
    ):
        assert run(environment).exit_code == 0
        assert re.findall(r"--retention-days=(\S+)", " ".join(told[-1])) == [days]


def test_a_value_that_does_not_fit_names_the_option() -> None:
    """A mistake in a unit file is told as one on the command line is."""
    result = run({"SEAWALL_CONTROL_RETENTION_DAYS": "some"})
    assert result.exit_code == 2 and "--retention-days" in result.output


def test_the_control_plane_has_the_same_options_either_way(told: list[list[str]]) -> None:
    """`seawall control` knows every option of `python -m seawall_control`, and hands it on."""
    here = {name for option in serve.control.params for name in option.opts}
    there = {name for action in parser()._actions for name in action.option_strings if name.startswith("--")}
    assert there - {"--help"} <= here
    given = ["--retention=low=7", "--retention=high=90", "--retention-muted-days=3", "--max-store-mb=512"]
    given += ["--health-unresolved=200", "--health-recent=0"]
    given += ["--group-rate=2.5", "--group-burst=50", "--log-level=debug"]
    assert run({}, *given).exit_code == 0
    options = parser().parse_args(told[0])
    assert sorted(days for _, days in options.retention) == [7.0, 90.0]
    assert (options.retention_muted_days, options.max_store_mb) == (3.0, 512)
    assert (options.health_unresolved, options.health_recent) == (200, 0)
    assert (options.group_rate, options.group_burst, options.log_level) == (2.5, 50, "debug")
