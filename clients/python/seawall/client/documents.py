"""What may stand for a policy document in a call: a message, a mapping in its JSON form, or the path of a
file.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike, fspath

from google.protobuf import json_format

from seawall.errors import FieldViolation, Invalid
from seawall.v1.policy_pb2 import PolicyDocument

DocumentSource = PolicyDocument | Mapping[str, object] | str | PathLike[str]


def as_document(source: DocumentSource) -> PolicyDocument:
    """Return the document that `source` stands for.

    A path is read with the loader that the proxy uses (YAML, TOML or JSON with friendly spellings); its
    mistakes raise `Invalid` with file, line and column. A mapping is the JSON mapping of the message, so
    durations are spelled `0.05s` there.
    """
    if isinstance(source, PolicyDocument):
        return source
    if isinstance(source, Mapping):
        try:
            return json_format.ParseDict(dict(source), PolicyDocument())
        except json_format.ParseError as error:
            raise Invalid(f"not a policy document: {error}") from error
    return _read(fspath(source))


def _read(path: str) -> PolicyDocument:
    from seawall_proxy.config import lint_file, render_violations  # noqa: PLC0415 (YAML is only needed for files)

    report = lint_file(path)
    if not report.ok:
        violations = tuple(
            FieldViolation(one.violation.field, one.violation.message, one.violation.code)
            for one in report.errors
        )
        raise Invalid(
            render_violations(report).rstrip(), violations=violations, remedy=f"See `seawall lint {path}`."
        )
    return report.document
