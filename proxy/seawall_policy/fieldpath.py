"""Paths that name a field of a policy document: `routes[0].policy`, `policies.standard.retry.codes[0]`.

A key that would not read back as one word stands in quotes and brackets: `policies["a.b"].timeout`.
"""

from __future__ import annotations

import json
import re
from typing import Final

_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_/-]*", re.ASCII)


def member(path: str, name: str) -> str:
    """Return the path of a field or of a map entry under `path`."""
    if not _WORD.fullmatch(name):
        return f"{path}[{json.dumps(name)}]"
    return f"{path}.{name}" if path else name


def item(path: str, index: int) -> str:
    """Return the path of a list element under `path`."""
    return f"{path}[{index}]"


def parent(path: str) -> str:
    """Return the path one level up; empty at the top."""
    if path.endswith('"]'):
        # The opening bracket is the last one that starts a well-formed JSON string up to the end.
        start = path.rfind('["')
        while start > 0 and not _is_json_string(path[start + 1 : -1]):
            start = path.rfind('["', 0, start)
        return path[: max(start, 0)]
    if path.endswith("]"):
        return path[: max(path.rfind("["), 0)]
    return path[: max(path.rfind("."), 0)]


def _is_json_string(text: str) -> bool:
    try:
        return isinstance(json.loads(text), str)
    except ValueError:
        return False


def ancestors(path: str) -> list[str]:
    """Return `path` and everything above it, nearest first, ending with the empty path of the document."""
    found = [path]
    while path:
        path = parent(path)
        found.append(path)
    return found
