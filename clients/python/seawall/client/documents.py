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
    from seawall_proxy.config import load_file  # noqa: PLC0415 (the YAML reader is only needed for files)

    loaded = load_file(path)
    errors = tuple(
        FieldViolation(violation.field, violation.message, violation.code)
        for violation in loaded.violations
        if not violation.warning
    )
    if errors or loaded.document is None:
        raise Invalid(
            f"{path} has {len(errors)} mistakes", violations=errors, remedy=f"See `seawall lint {path}`."
        )
    return loaded.document
