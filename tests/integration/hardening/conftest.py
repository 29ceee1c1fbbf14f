"""One ground for all attacks, and the table of what they cost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.hardening.ground import BASELINES, ROWS, Ground


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Give the proxy that is attacked."""
    made = Ground(tmp_path_factory.mktemp("hardening"))
    try:
        yield made
    finally:
        made.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what each attack cost the proxy, and what the good client beside it saw."""
    if not ROWS:
        return
    write = terminalreporter.write_line
    terminalreporter.section("attacks")
    baseline = ", ".join(f"{seconds * 1000:.1f}" for seconds in BASELINES)
    write(f"good client without an attack, p99 in ms: {baseline}")
    write(f"{'attack':<46}{'s':>6}{'sent':>10}{'RSS +':>10}{'ampl.':>8}{'CPU s':>7}{'calls':>7}{'p99 ms':>8}")
    for row in ROWS:
        write(
            f"{row.name:<46}{row.seconds:>6.1f}{row.sent_bytes / 1024:>9.0f}K{row.growth_bytes / 1024:>9.0f}K"
            f"{row.amplification:>8.1f}{row.cpu_s:>7.2f}{row.calls:>7}{row.p99_s * 1000:>8.1f}"
        )
    most = max(row.growth_bytes for row in ROWS)
    write(
        f"{len(ROWS)} attacks, {sum(row.seconds for row in ROWS):.0f} s, "
        f"{sum(row.cpu_s for row in ROWS):.1f} s of the proxy's CPU; "
        f"largest growth {most / 1024:.0f}K; amplification means nothing where growth is below 4096K"
    )
