"""The command line of the control plane: mistakes are told in a line."""

from __future__ import annotations

import pytest

from seawall_control.main import EXIT_USAGE, parser


@pytest.mark.parametrize(
    "argument",
    [
        "--retention=low=-1",
        "--retention=some=1",
        "--retention-days=-1",
        "--retention-days=nan",
        "--retention-muted-days=-0.5",
        "--max-store-mb=-5",
        "--max-store-mb=1.5",
        "--group-rate=inf",
        "--group-burst=-1",
        "--health-unresolved=-1",
        "--health-recent=many",
        "--hook=foo",
    ],
)
def test_a_mistake_names_its_option_and_nothing_else(
    argument: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No list of all options stands before it."""
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([argument])
    assert ended.value.code == EXIT_USAGE
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"error: argument {argument.split('=', maxsplit=1)[0]}: ")
    assert second == "Try --help for all options."


def test_what_is_kept() -> None:
    """Numbers from 0 on, whole ones where they count."""
    found = parser().parse_args(
        ["--retention=low=0.5", "--max-store-mb=0", "--group-rate=0", "--group-burst=7"]
    )
    assert [days for _, days in found.retention] == [0.5]
    assert (found.max_store_mb, found.group_rate, found.group_burst) == (0, 0.0, 7)
