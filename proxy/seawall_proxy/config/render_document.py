"""A document as a policy file in YAML that reads back as the same document."""

from __future__ import annotations

from typing import Final

import yaml

from seawall.v1 import policy_pb2
from seawall_policy.compile.friendly import Plain, to_plain
from seawall_proxy.config.env import escape
from seawall_proxy.config.scalars import looks_special

_WIDTH: Final = 110


class _Dumper(yaml.SafeDumper):
    """Writes plain values; text that any reader might take for something else goes into quotes."""

    def ignore_aliases(self, data: object) -> bool:
        """Write equal values out each time: an alias would tie settings together that are only equal by
        chance.
        """
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists below their key, as in the documentation."""
        super().increase_indent(flow, False)


class _Key(str):
    """The key of a mapping, in which no environment variable is ever looked for."""

    __slots__ = ()


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return _scalar(dumper, escape(text))


def _represent_key(dumper: _Dumper, key: _Key) -> yaml.ScalarNode:
    return _scalar(dumper, str(key))


def _scalar(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """Quote what would be read as something else, and what has line breaks, which YAML folds outside of
    double quotes.
    """
    style = '"' if looks_special(text) or not text.isprintable() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _represent_list(dumper: _Dumper, items: list[Plain]) -> yaml.SequenceNode:
    """Write a list of plain words on one line."""
    short = all(not isinstance(item, dict | list) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=short)


def _represent_mapping(dumper: _Dumper, mapping: dict[str, Plain]) -> yaml.MappingNode:
    """Keep the order of the schema; an empty mapping is `{}`."""
    pairs = [(_Key(key), value) for key, value in mapping.items()]
    return dumper.represent_mapping("tag:yaml.org,2002:map", pairs, flow_style=not mapping)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(_Key, _represent_key)
_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(dict, _represent_mapping)


def render_document(document: policy_pb2.PolicyDocument) -> str:
    """Return a policy file; `load_text` reads it back as an equal document."""
    return _dump(to_plain(document))


def render_policies(policies: dict[str, policy_pb2.Policy]) -> str:
    """Return the `policies` section of a policy file."""
    return _dump({"policies": {name: to_plain(policy) for name, policy in policies.items()}})


def _dump(plain: Plain) -> str:
    text: str = yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return text
