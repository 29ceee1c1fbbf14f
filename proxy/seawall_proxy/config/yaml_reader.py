"""Reading YAML and JSON into nodes.

Only events are taken from PyYAML: its composer recurses once a level, which a file of brackets could use to
exhaust the stack, and its constructor believes that `no` is false and `1:30` is ninety. Aliases share the
node that they name and are followed, and counted, by whoever reads the tree.
"""

from __future__ import annotations

from typing import Final

import yaml

from seawall_policy.compile import codes
from seawall_policy.suggest import quoted
from seawall_proxy.config.nodes import MAX_DEPTH, MAX_NODES, Mapping, Node, Position, Scalar, Sequence
from seawall_proxy.config.problems import Problems

_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG_PREFIX: Final = "tag:yaml.org,2002:"
_KNOWN_TAGS: Final = frozenset({"str", "int", "float", "bool", "null", "seq", "map", "timestamp"})


class _TooMuch(Exception):
    """The file is beyond a limit; the problem has been added."""


def read_yaml(text: str, problems: Problems) -> Node | None:
    """Return the root node; None for an empty file or after a problem that ends the reading."""
    builder = _Builder(problems)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.take(event)
    except _TooMuch:
        return None
    except yaml.YAMLError as e:
        if "maximum nesting depth" in str(e):
            # Newer versions of libyaml have a limit of their own.
            problems.add(codes.TOO_LARGE, f"is nested more than {MAX_DEPTH} levels deep", _syntax_position(e))
            return None
        problems.add(codes.SYNTAX, _syntax_message(e, text), _syntax_position(e))
        return None
    except ValueError as e:
        # libyaml's wrapper raises it for text that it cannot take, such as a lone surrogate.
        problems.add(codes.SYNTAX, f"cannot be read as YAML: {e}", None)
        return None
    return builder.root


class _Builder:
    """Turns the stream of events into a tree, without recursion."""

    def __init__(self, problems: Problems) -> None:
        self.root: Node | None = None
        self._problems = problems
        self._open: list[Sequence | Mapping] = []
        self._keys: list[Node | None] = []
        self._anchors: dict[str, Node] = {}
        self._nodes = 0
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """Add one event to the tree."""
        if isinstance(event, yaml.ScalarEvent):
            self._check_tag(event)
            plain = event.style is None or event.style == ""
            # A tag such as !!str says what quotes would.
            plain = plain and event.tag != _TAG_PREFIX + "str"
            self._place(Scalar(event.value, plain, _position(event)), event.anchor)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._check_tag(event)
            self._start(Sequence([], _position(event)), event)
        elif isinstance(event, yaml.MappingStartEvent):
            self._check_tag(event)
            self._start(Mapping([], _position(event)), event)
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            self._open.pop()
            self._keys.pop()
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._start_document(event)

    def _start_document(self, event: yaml.Event) -> None:
        self._documents += 1
        if self._documents > 1:
            self._problems.add(
                codes.SYNTAX, "a second document starts here; keep one document in a file", _position(event)
            )
            raise _TooMuch

    def _start(self, node: Sequence | Mapping, event: yaml.CollectionStartEvent) -> None:
        self._place(node, event.anchor)
        self._open.append(node)
        self._keys.append(None)
        if len(self._open) > MAX_DEPTH:
            self._problems.add(codes.TOO_LARGE, f"is nested more than {MAX_DEPTH} levels deep", node.position)
            raise _TooMuch

    def _alias(self, event: yaml.AliasEvent) -> None:
        node = self._anchors.get(event.anchor or "")
        if node is None:
            self._problems.add(
                codes.SYNTAX, f"there is no anchor &{event.anchor} above; define it first", _position(event)
            )
            raise _TooMuch
        self._place(node, None)

    def _place(self, node: Node, anchor: str | None) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._problems.add(codes.TOO_LARGE, f"has more than {MAX_NODES} values", node.position)
            raise _TooMuch
        if anchor:
            self._anchors[anchor] = node
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
            return
        key = self._keys[-1]
        if key is None:
            self._keys[-1] = node
        else:
            parent.pairs.append((key, node))
            self._keys[-1] = None

    def _check_tag(self, event: yaml.NodeEvent) -> None:
        tag: str | None = getattr(event, "tag", None)
        if tag and tag != "!" and tag.removeprefix(_TAG_PREFIX) not in _KNOWN_TAGS:
            shown = "!!" + tag.removeprefix(_TAG_PREFIX) if tag.startswith(_TAG_PREFIX) else tag
            self._problems.add(
                codes.WRONG_TYPE, f"the tag {quoted(shown)} has no meaning here; remove it", _position(event)
            )


def _position(event: yaml.Event) -> Position:
    start, end = event.start_mark, event.end_mark
    assert start is not None
    assert end is not None
    end_column = end.column + 1 if end.line == start.line else start.column + 2
    return Position(start.line + 1, start.column + 1, max(end_column, start.column + 2))


def _syntax_position(error: yaml.YAMLError) -> Position | None:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return None
    return Position(mark.line + 1, mark.column + 1, mark.column + 2)


def _syntax_message(error: yaml.YAMLError, text: str) -> str:
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "the text is no YAML"
    context = getattr(error, "context", None)
    message = f"{problem} ({context})" if context else str(problem)
    position = _syntax_position(error)
    lines = text.splitlines()
    if position is not None and position.line <= len(lines):
        line = lines[position.line - 1]
        if "\t" in line[: position.column]:
            message += "; indent with spaces, YAML knows no tabs"
        elif "${env:" in line:
            message += '; put quotes around "${env:...}" inside {} and []'
    return message
