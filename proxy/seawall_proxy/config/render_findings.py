"""Showing what is wrong with a policy file: to a person, to a program, and to GitHub's review page."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final, Literal

from seawall_proxy.config.lint import LintReport
from seawall_proxy.config.load import LoadedDocument
from seawall_proxy.config.nodes import Position
from seawall_proxy.config.problems import Finding

Format = Literal["text", "json", "github"]
FORMATS: Final[tuple[Format, ...]] = ("text", "json", "github")

_FRAME_WIDTH: Final = 120
"""Longest piece of a source line that is shown."""


def render_violations(report: LintReport | LoadedDocument, output: Format = "text") -> str:
    """Return all findings of a file in one of the formats; `text` is empty when there are none."""
    loaded = report.loaded if isinstance(report, LintReport) else report
    if output == "json":
        return _json(loaded, report.findings)
    if output == "github":
        return "".join(_github(loaded, finding) for finding in report.findings)
    return _text(loaded, report.findings)


def _text(loaded: LoadedDocument, findings: Iterable[Finding]) -> str:
    lines = loaded.text.splitlines()
    shown = []
    for finding in findings:
        violation = finding.violation
        severity = "warning" if violation.warning else "error"
        shown.append(
            f"{_place(loaded, finding)}: {severity} {violation.code} {_subject(finding)}{violation.message}\n"
        )
        if finding.position is not None and finding.position.line <= len(lines):
            shown.append(_frame(lines[finding.position.line - 1], finding.position))
    return "".join(shown)


def _place(loaded: LoadedDocument, finding: Finding) -> str:
    if finding.position is None:
        return loaded.path
    return f"{loaded.path}:{finding.position.line}:{finding.position.column}"


def _subject(finding: Finding) -> str:
    return f"{finding.violation.field}: " if finding.violation.field else ""


def _frame(line: str, position: Position) -> str:
    """Return the source line with carets under the place; tabs stay tabs, so that the carets stand where
    they should.
    """
    start = max(0, position.column - 1 - _FRAME_WIDTH // 2) if len(line) > _FRAME_WIDTH else 0
    piece = line[start : start + _FRAME_WIDTH]
    # What a terminal might act on is not handed on.
    safe = "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in piece)
    before = min(position.column - 1 - start, len(safe))
    length = max(1, min(position.end_column - position.column, len(safe) - before))
    padding = "".join("\t" if c == "\t" else " " for c in safe[:before])
    number = str(position.line)
    return f"  {number} | {safe}\n  {' ' * len(number)} | {padding}{'^' * length}\n"


def _json(loaded: LoadedDocument, findings: Iterable[Finding]) -> str:
    violations = [
        {
            "line": finding.position.line if finding.position else None,
            "column": finding.position.column if finding.position else None,
            "field": finding.violation.field,
            "code": finding.violation.code,
            "severity": "warning" if finding.violation.warning else "error",
            "message": finding.violation.message,
        }
        for finding in findings
    ]
    return json.dumps({"file": loaded.path, "violations": violations}, ensure_ascii=False, indent=2) + "\n"


def _github(loaded: LoadedDocument, finding: Finding) -> str:
    """Return a workflow command, which GitHub shows beside the line."""
    violation = finding.violation
    properties = [f"file={_property(loaded.path)}"]
    if finding.position is not None:
        properties += [f"line={finding.position.line}", f"col={finding.position.column}"]
    properties.append(f"title={violation.code}")
    severity = "warning" if violation.warning else "error"
    message = (
        (_subject(finding) + violation.message).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    )
    return f"::{severity} {','.join(properties)}::{message}\n"


def _property(text: str) -> str:
    for character, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")):
        text = text.replace(character, code)
    return text
