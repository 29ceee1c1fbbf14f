"""`${env:NAME}` and `${env:NAME:-default}` in the values of a policy file.

The spelling is OpenTelemetry's. References are replaced inside single values after the file has been parsed,
so that a variable can hold a value and never a piece of the file's structure; `$${` stands for a plain `${`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{env:([^}:]*)(?::-([^}]*))?\}|\$\{([^}]*)(\}?)")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_MAX_LENGTH: Final = 64 * 1024
"""Longest value after substitution."""


class EnvError(ValueError):
    """A reference that cannot be replaced; the message says why and what to do."""


def substitute(text: str, env: Mapping[str, str]) -> str:
    """Return `text` with every reference replaced; raise EnvError for the first that cannot be."""
    if "${" not in text:
        return text
    replaced = _REFERENCE.sub(lambda match: _replace(match, env), text)
    if len(replaced) > _MAX_LENGTH:
        raise EnvError(f"is longer than {_MAX_LENGTH} characters after its variables were filled in")
    return replaced


def _replace(match: re.Match[str], env: Mapping[str, str]) -> str:
    whole = match.group(0)
    if whole == "$${":
        return "${"
    name, default, other = match.group(1), match.group(2), match.group(3)
    if other is not None:
        raise EnvError(
            f"has the reference {whole[:80]}, which is not ${{env:NAME}}; write $${{ for a plain ${{"
        )
    if not _NAME.fullmatch(name):
        raise EnvError(f"has the reference {whole[:80]}, whose variable name is malformed")
    value = env.get(name, "")
    if value:
        return value
    if default is not None:
        return default
    if name in env:
        return ""
    raise EnvError(
        f"needs the environment variable {name}, which is not set; set it or write ${{env:{name}:-default}}"
    )


def escape(text: str) -> str:
    """Return `text` so that `substitute` gives it back unchanged."""
    return text.replace("${", "$${")
