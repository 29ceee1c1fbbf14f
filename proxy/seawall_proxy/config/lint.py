"""Checking a policy file with the compiler that the proxy itself uses.

The compiler also sees a document that could only be read in part, so that one run shows every mistake. What
it then says about the gaps that the reader's own mistakes have left is kept back: a misspelt `cluster` is one
mistake, not also a route without one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy import fieldpath
from seawall_policy.compile import CompileResult, Violation, codes, compile_document
from seawall_policy.compile.layers import merged, placed
from seawall_policy.descriptors import DescriptorSource
from seawall_policy.model import Snapshot
from seawall_proxy.config.load import LoadedDocument, load_file, load_text
from seawall_proxy.config.nodes import Position
from seawall_proxy.config.problems import Finding

_SECTIONS: Final = {
    codes.NO_SUCH_CLUSTER: "clusters",
    codes.NO_SUCH_POLICY: "policies",
    codes.NO_ROUTES: "routes",
}
"""The section whose absence would be the reason for a mistake."""
_TOGETHER: Final = frozenset(
    {codes.SINGLE_ATTEMPT, codes.TRY_NOT_SHORTER, codes.TRIES_OUTLAST_CALL, codes.NO_EFFECT}
)
"""Warnings about settings that do not go together..."""
_DECISIVE: Final = (".max_attempts", ".timeout", ".per_try_timeout", ".kind")
"""...and the settings that decide about the others; one with a mistake was read as if it were not there."""
_UNUSED: Final = frozenset({codes.UNUSED_CLUSTER, codes.UNUSED_POLICY})


@dataclass(frozen=True, slots=True)
class LintReport:
    """A policy file, what is wrong with it, and what it compiles to."""

    loaded: LoadedDocument
    findings: tuple[Finding, ...]
    """Mistakes and warnings in the order of the file."""
    result: CompileResult
    """What the compiler said; its snapshot counts only when `ok`."""

    @property
    def path(self) -> str:
        """Return the file's name."""
        return self.loaded.path

    @property
    def document(self) -> policy_pb2.PolicyDocument:
        """Return the document."""
        return self.loaded.document

    @property
    def ok(self) -> bool:
        """Tell whether there are no mistakes; warnings do not count."""
        return not self.errors

    @property
    def snapshot(self) -> Snapshot | None:
        """Return what the data path reads; None when there are mistakes."""
        return self.result.snapshot if self.ok else None

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Return the mistakes."""
        return tuple(finding for finding in self.findings if not finding.violation.warning)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Return the warnings."""
        return tuple(finding for finding in self.findings if finding.violation.warning)


def lint_file(
    path: str | Path,
    descriptors: DescriptorSource | None = None,
    *,
    env: Mapping[str, str] | None = None,
    wall_s: float | None = None,
    base: policy_pb2.PolicyDocument | None = None,
) -> LintReport:
    """Read and compile a policy file; never raises for what the file holds. With the time in Unix seconds,
    what is over or far ahead is told as well. A file that extends another is judged together with `base`.
    """
    return lint_loaded(load_file(path, env=env), descriptors, wall_s=wall_s, base=base)


def lint_text(
    text: str,
    *,
    path: str = "<policy>",
    descriptors: DescriptorSource | None = None,
    env: Mapping[str, str] | None = None,
    base: Path | None = None,
) -> LintReport:
    """Read and compile a policy from text."""
    return lint_loaded(load_text(text, path=path, env=env, base=base), descriptors)


def lint_loaded(
    loaded: LoadedDocument,
    descriptors: DescriptorSource | None = None,
    *,
    wall_s: float | None = None,
    base: policy_pb2.PolicyDocument | None = None,
) -> LintReport:
    """Compile a document that has been read, and put both lists of mistakes together."""
    own = loaded.document
    if base is None or not own.extends:
        result = compile_document(own, descriptors=descriptors, wall_s=wall_s)
    else:
        result = compile_document(merged(base, own), descriptors=descriptors, wall_s=wall_s)
        result = replace(result, violations=_in_file(base, own, result.violations))
    broken = tuple(finding.violation.field for finding in loaded.findings)
    errors = [*broken, *(violation.field for violation in result.violations if not violation.warning)]
    mistaken = {_policy_of(field) for field in errors if field.endswith(_DECISIVE)} - {""}
    findings = list(loaded.findings)
    findings.extend(
        Finding(violation, loaded.position_of(violation.field))
        for violation in result.violations
        if not _is_aftermath(violation, loaded, broken)
        and not (violation.code in _TOGETHER and _policy_of(violation.field) in mistaken)
    )
    return LintReport(loaded, tuple(sorted(findings, key=_by_place)), result)


def _in_file(
    base: policy_pb2.PolicyDocument, own: policy_pb2.PolicyDocument, violations: Iterable[Violation]
) -> tuple[Violation, ...]:
    """Return violations of the whole by their place in the file; warnings about the base are its authors'."""
    found = []
    for place in (placed(base, own, violation) for violation in violations):
        if not place.in_base:
            found.append(place.violation)
        elif not place.violation.warning:
            there = f"in policy set {own.extends}, {place.violation.field}: "
            found.append(replace(place.violation, field="extends", message=there + place.violation.message))
    return tuple(found)


def _is_aftermath(violation: Violation, loaded: LoadedDocument, broken: tuple[str, ...]) -> bool:
    """Tell whether a violation may only be there because the reader left something out at one of the
    `broken` fields.
    """
    if not broken:
        return False
    if "" in broken:
        return True
    if violation.code in _UNUSED:
        return True
    section = _SECTIONS.get(violation.code)
    if section is not None and any(_hides(field, section, loaded) for field in broken):
        return True
    stands = violation.field
    absent = stands not in loaded.positions
    while stands not in loaded.positions and stands:
        stands = fieldpath.parent(stands)
    for field in broken:
        above = fieldpath.ancestors(field)
        if violation.field in above:
            return True
        if absent and stands in above:
            return True
    return False


def _policy_of(field: str) -> str:
    """Return the path of the policy that a field belongs to; empty for a field of something else."""
    above = fieldpath.ancestors(field)
    return above[-3] if len(above) >= 3 and above[-2] == "policies" else ""


def _hides(field: str, section: str, loaded: LoadedDocument) -> bool:
    """Tell whether something may be missing from a section because of what is broken at `field`: an entry of
    the section, the section, or a top-level key that may be a misspelling of it.
    """
    above = fieldpath.ancestors(field)
    if section in above:
        return len(above) <= 3
    return len(above) <= 2 and section not in loaded.positions


def _by_place(finding: Finding) -> tuple[int, int, bool]:
    position: Position | None = finding.position
    return (
        (position.line, position.column, finding.violation.warning)
        if position
        else (0, 0, finding.violation.warning)
    )
