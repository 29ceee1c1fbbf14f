"""Verdicts kept for the page of the fault matrix: one file for each test, where somebody writes the page."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tests.kit.history.verdict import SHOWN, Verdict

FOLDER = "SEAWALL_FAULTS_RESULTS"
"""The variable that names the folder; without it nothing is kept."""
LENGTH = "SEAWALL_FAULTS"
"""The variable that says how long faults are: `full`, or the part of every test run."""


def keep(nodeid: str, found: Verdict) -> None:
    """Keep the verdict of a test; `nodeid` is pytest's."""
    folder = os.environ.get(FOLDER)
    if folder:
        name = nodeid.removeprefix("tests/")
        result = {
            "test": name,
            "run": os.environ.get(LENGTH, "quick"),
            "day": datetime.now(UTC).date().isoformat(),
            "figures": found.figures,
            "findings": {key: asdict(value) for key, value in found.findings.items()},
        }
        safe = "".join(letter if letter.isalnum() else "-" for letter in name)
        Path(folder, f"{safe}.json").write_text(json.dumps(result), encoding="utf-8")


def merged(verdicts: Iterable[Verdict]) -> Verdict:
    """Return many verdicts as one: counts are added."""
    total = Verdict()
    for verdict in verdicts:
        for name, count in verdict.figures.items():
            total.figures[name] = total.figures.get(name, 0) + count
        for name, finding in verdict.findings.items():
            into = total.findings[name]
            into.looked_at += finding.looked_at
            into.broken += finding.broken
            into.offenders = (into.offenders + finding.offenders)[:SHOWN]
    return total
