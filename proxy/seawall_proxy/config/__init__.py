"""Policy files: read with line and column, checked, compiled, and written."""

from seawall_proxy.config.lint import LintReport, lint_file, lint_loaded, lint_text
from seawall_proxy.config.load import LoadedDocument, load_file, load_text
from seawall_proxy.config.nodes import Position
from seawall_proxy.config.problems import Finding
from seawall_proxy.config.render_document import render_document, render_policies
from seawall_proxy.config.render_findings import FORMATS, render_violations

__all__ = [
    "FORMATS",
    "Finding",
    "LintReport",
    "LoadedDocument",
    "Position",
    "lint_file",
    "lint_loaded",
    "lint_text",
    "load_file",
    "load_text",
    "render_document",
    "render_policies",
    "render_violations",
]
