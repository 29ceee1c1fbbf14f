"""Reading a policy file: bytes to a document, with the place of every field and everything that is wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy import fieldpath
from seawall_policy.compile import Violation, codes
from seawall_policy.descriptors import DescriptorSource
from seawall_policy.suggest import quoted
from seawall_proxy.config.nodes import MAX_BYTES, Node, Position
from seawall_proxy.config.problems import Finding, Problems
from seawall_proxy.config.toml_reader import read_toml
from seawall_proxy.config.walk import Walker
from seawall_proxy.config.yaml_reader import read_yaml

MAX_DESCRIPTOR_BYTES: Final = 16 * 1024 * 1024
"""Largest descriptor file."""


@dataclass(frozen=True, slots=True)
class LoadedDocument:
    """A policy file as far as it could be read."""

    path: str
    """Name of the file, as it is shown."""
    text: str
    document: policy_pb2.PolicyDocument
    positions: Mapping[str, Position]
    """Where each field path stands."""
    findings: tuple[Finding, ...] = field(default=())

    @property
    def violations(self) -> tuple[Violation, ...]:
        """Return what is wrong with the file, without the places."""
        return tuple(finding.violation for finding in self.findings)

    def position_of(self, path: str) -> Position | None:
        """Return the place of a field, or of the nearest thing around it that stands in the file."""
        for candidate in fieldpath.ancestors(path):
            if candidate in self.positions:
                return self.positions[candidate]
        return None


def load_file(path: str | Path, *, env: Mapping[str, str] | None = None) -> LoadedDocument:
    """Read a policy file in YAML, JSON or (by its suffix) TOML; never raises for what the file holds.

    `env` replaces the process's environment in `${env:NAME}`.
    """
    file = Path(path)
    problems = Problems()
    text = _read_text(file, problems)
    if problems.findings:
        return LoadedDocument(str(path), text, policy_pb2.PolicyDocument(), {}, tuple(problems.findings))
    return load_text(text, path=str(path), env=os.environ if env is None else env, base=file.parent)


def load_text(
    text: str, *, path: str = "<policy>", env: Mapping[str, str] | None = None, base: Path | None = None
) -> LoadedDocument:
    """Read a policy from text; `descriptor_files` are read relative to `base`, and left alone without one."""
    problems = Problems()
    root = _parse(text, path, problems)
    walker = Walker(problems, {} if env is None else env)
    document = walker.read(root)
    if base is not None:
        _read_descriptors(document, base, problems, walker.positions)
    findings = sorted(problems.findings, key=_by_place)
    return LoadedDocument(path, text, document, walker.positions, tuple(findings))


def _by_place(finding: Finding) -> tuple[int, int]:
    return (finding.position.line, finding.position.column) if finding.position else (0, 0)


def _parse(text: str, path: str, problems: Problems) -> Node | None:
    if len(text) > MAX_BYTES:
        problems.add(codes.UNREADABLE, f"is larger than {MAX_BYTES // 1024 // 1024} MiB", None)
        return None
    if path.endswith(".toml"):
        return read_toml(text, problems)
    return read_yaml(text, problems)


def _read_text(file: Path, problems: Problems) -> str:
    """Return what can be shown of a file; it is usable when no problem was added."""
    data = _read_bytes(file, MAX_BYTES, codes.UNREADABLE, problems)
    if data is None:
        return ""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = data.count(b"\n", 0, e.start) + 1
        column = len(data[data.rfind(b"\n", 0, e.start) + 1 : e.start].decode("utf-8", "replace")) + 1
        message = f"byte 0x{data[e.start]:02x} is no UTF-8; save the file as UTF-8"
        problems.add(codes.UNREADABLE, message, Position(line, column, column + 1))
        return data.decode("utf-8", "replace")


def _read_bytes(
    file: Path,
    limit: int,
    code: str,
    problems: Problems,
    position: Position | None = None,
    field_path: str = "",
) -> bytes | None:
    try:
        if file.exists() and not file.is_file():
            problems.add(code, f"{quoted(str(file))} is no regular file", position, field_path)
            return None
        with file.open("rb") as stream:
            data = stream.read(limit + 1)
    except (OSError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
        problems.add(code, f"{quoted(str(file))} cannot be read: {reason}", position, field_path)
        return None
    if len(data) > limit:
        problems.add(
            code, f"{quoted(str(file))} is larger than {limit // 1024 // 1024} MiB", position, field_path
        )
        return None
    return data


def _read_descriptors(
    document: policy_pb2.PolicyDocument, base: Path, problems: Problems, positions: Mapping[str, Position]
) -> None:
    """Carry the files that `descriptor_files` names in `descriptor_set` from here on."""
    sets = [document.descriptor_set] if document.descriptor_set else []
    for index, name in enumerate(document.descriptor_files):
        path = fieldpath.item("descriptor_files", index)
        position = positions.get(path)
        data = _read_bytes(
            base / name, MAX_DESCRIPTOR_BYTES, codes.BAD_DESCRIPTOR_FILE, problems, position, path
        )
        if data is None:
            continue
        source = DescriptorSource([data])
        for problem in source.problems:
            problems.add(codes.BAD_DESCRIPTOR_FILE, f"{quoted(name)}: {problem}", position, path)
        if source.empty and not source.problems:
            problems.add(codes.BAD_DESCRIPTOR_FILE, f"{quoted(name)} describes no service", position, path)
        sets.append(data)
    if document.descriptor_files:
        document.descriptor_set = DescriptorSource(sets).file_descriptor_set()
