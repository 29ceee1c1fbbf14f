r"""Patterns over short texts, matched in time that is linear in the text whatever the pattern.

Messages of failures are chosen by strangers, and a backtracking matcher takes exponential time for some
pattern and some text. This one follows all possibilities at once: a pattern becomes a nondeterministic
automaton of at most `MAX_NODES` nodes, of which a deterministic one is made as it is needed, with a bounded
number of states. The syntax is the part of RE2's that a line of text needs:

literals, `.` (anything but a line feed), classes `[a-z]` and `[^a-z]`, `\d \w \s` and `\D \W \S` (ASCII),
escapes (`\t \n \r \f \v`, and a backslash before punctuation), groups `( )` and `(?: )`, `|`, the repetitions
`* + ? {m} {m,} {m,n}`, `^` and `$` for the ends of the text, `(?i)` in front to ignore case.

There are no backreferences, no look-around and no `\b`; a match is found anywhere in the text.

Sources: K. Thompson, "Regular Expression Search Algorithm" (1968); R. Cox, "Regular Expression Matching Can
Be Simple And Fast" (2007).
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

MAX_PATTERN: Final = 256
"""Characters of a pattern."""
MAX_NODES: Final = 400
"""Nodes of the automaton; a bounded repetition counts once for each time."""
MAX_STATES: Final = 500
"""States that are remembered; beyond it they are made anew."""
MAX_DEPTH: Final = 32
"""Groups within groups."""
MAX_REPEAT: Final = 100
"""Most times that `{m,n}` may say."""

_LAST: Final = 0x10FFFF
_UNBOUNDED: Final = -1

# Kinds of syntax nodes.
_SET: Final = 0
_CONCAT: Final = 1
_ALTERNATE: Final = 2
_REPEAT: Final = 3
_BEGIN: Final = 4
_END: Final = 5

# Kinds of automaton nodes, beside _SET, _BEGIN and _END.
_SPLIT: Final = 6
_MATCH: Final = 7

Ranges = list[tuple[int, int]]

_DIGIT: Final[Ranges] = [(0x30, 0x39)]
_WORD: Final[Ranges] = [(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]
_SPACE: Final[Ranges] = [(0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20)]
_CONTROLS: Final[dict[str, int]] = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}


class PatternError(ValueError):
    """A pattern that is not understood; the message says where and why."""


class _Syntax:
    """A part of a pattern."""

    def __init__(self, kind: int) -> None:
        self.kind: int = kind
        self.ranges: Ranges = []
        self.parts: list[_Syntax] = []
        self.low: int = 0
        self.high: int = 0


class _Node:
    """A node of the automaton."""

    def __init__(self, kind: int, ranges: Ranges, first: int, second: int) -> None:
        self.kind: int = kind
        self.ranges: Ranges = ranges
        self.first: int = first
        self.second: int = second


class _State:
    """A state of the deterministic automaton: the nodes that the text so far may have led to."""

    def __init__(self, nodes: list[int], accepts: bool, accepts_at_end: bool, classes: int) -> None:
        self.nodes: list[int] = nodes
        self.accepts: bool = accepts
        self.accepts_at_end: bool = accepts_at_end
        self.moves: list[_State | None] = [None] * classes


class Pattern:
    """A compiled pattern. Raises PatternError for what is not understood."""

    def __init__(self, text: str) -> None:
        self.text: str = text
        self._nodes: list[_Node] = []
        syntax = _Parser(text).parse()
        self._start: int = self._build(syntax, self._node(_MATCH, [], 0, 0))
        self._bounds: list[int] = self._class_bounds()
        self._ascii: list[int] = [bisect_right(self._bounds, point) - 1 for point in range(128)]
        self._states: dict[tuple[int, ...], _State] = {}
        self._first: _State = self._state(self._closure([self._start], True))
        # The only text whose end is its beginning.
        self._accepts_empty: bool = self._first.accepts or self._accepts_at_end(self._first.nodes, True)

    def search(self, text: str) -> bool:
        """Tell whether the pattern matches anywhere in the text."""
        if text == "":
            return self._accepts_empty
        state = self._first
        ascii_classes = self._ascii
        for character in text:
            if state.accepts:
                return True
            point = ord(character)
            number = ascii_classes[point] if point < 128 else bisect_right(self._bounds, point) - 1
            following = state.moves[number]
            if following is None:
                following = self._move(state, number)
            state = following
        return state.accepts or state.accepts_at_end

    # from syntax to nodes

    def _node(self, kind: int, ranges: Ranges, first: int, second: int) -> int:
        if len(self._nodes) >= MAX_NODES:
            raise PatternError(
                f"is too large; repetitions count once for each time, at most {MAX_NODES} in all"
            )
        self._nodes.append(_Node(kind, ranges, first, second))
        return len(self._nodes) - 1

    def _build(self, syntax: _Syntax, following: int) -> int:
        """Return the first node of a part that is followed by the node `following`."""
        kind = syntax.kind
        if kind == _CONCAT:
            for part in reversed(syntax.parts):
                following = self._build(part, following)
            return following
        if kind == _ALTERNATE:
            entry = self._build(syntax.parts[0], following)
            for part in syntax.parts[1:]:
                entry = self._node(_SPLIT, [], entry, self._build(part, following))
            return entry
        if kind == _REPEAT:
            return self._build_repeat(syntax, following)
        return self._node(kind, syntax.ranges, following, following)

    def _build_repeat(self, syntax: _Syntax, following: int) -> int:
        body = syntax.parts[0]
        entry = following
        if syntax.high == _UNBOUNDED:
            entry = self._node(_SPLIT, [], following, following)
            self._nodes[entry].first = self._build(body, entry)
        else:
            for _ in range(syntax.high - syntax.low):
                entry = self._node(_SPLIT, [], self._build(body, entry), following)
        for _ in range(syntax.low):
            entry = self._build(body, entry)
        return entry

    def _class_bounds(self) -> list[int]:
        """Return where the classes of characters begin that no part of the pattern tells apart."""
        bounds: set[int] = {0}
        for node in self._nodes:
            for low, high in node.ranges:
                bounds.add(low)
                bounds.add(high + 1)
        return sorted(bounds)

    # from nodes to states

    def _closure(self, entries: list[int], at_begin: bool) -> list[int]:
        """Return what can be reached without a character: nodes that wait for one, for the end, or match."""
        found = self._reach(entries, at_begin, False)
        found.sort()
        return found

    def _reach(self, entries: list[int], at_begin: bool, at_end: bool) -> list[int]:
        """Return the nodes that can be reached without a character, those left out that only lead on."""
        seen: set[int] = set()
        waiting = list(entries)
        found: list[int] = []
        while waiting:
            index = waiting.pop()
            if index in seen:
                continue
            seen.add(index)
            node = self._nodes[index]
            if node.kind == _SPLIT:
                waiting.append(node.first)
                waiting.append(node.second)
            elif node.kind == _BEGIN:
                if at_begin:
                    waiting.append(node.first)
            elif node.kind == _END and at_end:
                waiting.append(node.first)
            else:
                found.append(index)
        return found

    def _state(self, nodes: list[int]) -> _State:
        key = tuple(nodes)
        state = self._states.get(key)
        if state is None:
            if len(self._states) >= MAX_STATES:
                # The moves of the first state lead to all others; they are forgotten together.
                self._states = {}
                self._first.moves = [None] * len(self._bounds)
            at_end = self._accepts_at_end(nodes, False)
            state = _State(nodes, self._has_match(nodes), at_end, len(self._bounds))
            self._states[key] = state
        return state

    def _accepts_at_end(self, nodes: list[int], at_begin: bool) -> bool:
        behind = [self._nodes[index].first for index in nodes if self._nodes[index].kind == _END]
        return self._has_match(self._reach(behind, at_begin, True))

    def _has_match(self, nodes: list[int]) -> bool:
        for index in nodes:  # noqa: SIM110 - compiled, a generator is an object
            if self._nodes[index].kind == _MATCH:
                return True
        return False

    def _move(self, state: _State, number: int) -> _State:
        point = self._bounds[number]
        entries = [self._start]
        for index in state.nodes:
            node = self._nodes[index]
            if node.kind == _SET and _contains(node.ranges, point):
                entries.append(node.first)
        following = self._state(self._closure(entries, False))
        state.moves[number] = following
        return following


class _Parser:
    """Reads the syntax."""

    def __init__(self, text: str) -> None:
        self._text: str = text
        self._pos: int = 0
        self._depth: int = 0
        self._fold: bool = False

    def parse(self) -> _Syntax:
        if self._text == "":
            raise PatternError("is empty and would match everything")
        if len(self._text) > MAX_PATTERN:
            raise PatternError(f"is longer than {MAX_PATTERN} characters")
        if self._text.startswith("(?i)"):
            self._fold = True
            self._pos = 4
        syntax = self._alternatives()
        if self._pos < len(self._text):
            raise self._wrong("has a `)` without its `(`")
        return syntax

    def _wrong(self, what: str) -> PatternError:
        return PatternError(f"{what} (at character {self._pos + 1})")

    def _peek(self) -> str:
        return self._text[self._pos] if self._pos < len(self._text) else ""

    def _take(self) -> str:
        if self._pos >= len(self._text):
            raise self._wrong("ends too early")
        self._pos += 1
        return self._text[self._pos - 1]

    def _alternatives(self) -> _Syntax:
        options = [self._sequence()]
        while self._peek() == "|":
            self._pos += 1
            options.append(self._sequence())
        if len(options) == 1:
            return options[0]
        syntax = _Syntax(_ALTERNATE)
        syntax.parts = options
        return syntax

    def _sequence(self) -> _Syntax:
        syntax = _Syntax(_CONCAT)
        while self._peek() not in ("", "|", ")"):
            syntax.parts.append(self._repeated(self._atom()))
        return syntax

    def _repeated(self, atom: _Syntax) -> _Syntax:
        syntax = atom
        sign = self._peek()
        if sign == "":
            return atom
        if sign in "*+?":
            self._pos += 1
            low, high = (1 if sign == "+" else 0), (1 if sign == "?" else _UNBOUNDED)
        elif sign == "{":
            self._pos += 1
            low, high = self._counts()
        else:
            return atom
        if atom.kind in (_BEGIN, _END):
            raise self._wrong("repeats an end of the text")
        syntax = _Syntax(_REPEAT)
        syntax.parts.append(atom)
        syntax.low = low
        syntax.high = high
        if self._peek() == "?":
            # As little as possible or as much: whether there is a match is the same.
            self._pos += 1
        if self._peek() in ("*", "+", "?", "{"):
            raise self._wrong("repeats a repetition; put the inner one in a group")
        return syntax

    def _counts(self) -> tuple[int, int]:
        low = self._count()
        high = low
        if self._peek() == ",":
            self._pos += 1
            high = _UNBOUNDED if self._peek() == "}" else self._count()
        if self._take() != "}":
            raise self._wrong("has a `{` that is no repetition such as {2,5}; write `\\{`")
        if high not in (_UNBOUNDED, low) and high < low:
            raise self._wrong("repeats at most less often than at least")
        return low, high

    def _count(self) -> int:
        start = self._pos
        while self._peek().isdigit() and self._peek().isascii():
            self._pos += 1
        digits = self._text[start : self._pos]
        if digits == "":
            raise self._wrong("has a `{` that is no repetition such as {2,5}; write `\\{`")
        if len(digits) > 3 or int(digits) > MAX_REPEAT:
            raise self._wrong(f"repeats more than {MAX_REPEAT} times")
        return int(digits)

    def _atom(self) -> _Syntax:
        character = self._take()
        if character == "(":
            return self._group()
        if character == "[":
            return self._set(self._class())
        if character == ".":
            return self._set([(0, 9), (11, _LAST)])
        if character == "^":
            return _Syntax(_BEGIN)
        if character == "$":
            return _Syntax(_END)
        if character == "\\":
            return self._set(self._escape())
        if character in "*+?{":
            self._pos -= 1
            raise self._wrong(f"repeats nothing; write `\\{character}` for the character")
        return self._set(self._literal(ord(character)))

    def _group(self) -> _Syntax:
        if self._peek() == "?":
            if self._text[self._pos : self._pos + 2] != "?:":
                raise self._wrong("has a group of a kind that is not supported; only ( ) and (?: ) are")
            self._pos += 2
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._wrong(f"has more than {MAX_DEPTH} groups within each other")
        syntax = self._alternatives()
        self._depth -= 1
        if self._peek() != ")":
            raise self._wrong("has a `(` without its `)`")
        self._pos += 1
        return syntax

    def _set(self, ranges: Ranges) -> _Syntax:
        syntax = _Syntax(_SET)
        syntax.ranges = ranges
        return syntax

    def _literal(self, point: int) -> Ranges:
        return self._folded([(point, point)])

    def _folded(self, ranges: Ranges) -> Ranges:
        """Add the other case of letters, where case is ignored; of long ranges only that of ASCII."""
        if not self._fold:
            return ranges
        found = list(ranges)
        for low, high in ranges:
            points = (
                list(range(low, high + 1))
                if high - low < 64
                else list(range(max(low, 65), min(high, 122) + 1))
            )
            for point in points:
                cases = [chr(point).lower(), chr(point).upper()]
                found.extend([(ord(case), ord(case)) for case in cases if len(case) == 1])
        return found

    def _escape(self) -> Ranges:
        character = self._take()
        if character in _CONTROLS:
            return self._literal(_CONTROLS[character])
        if character in "dws":
            return _named(character)
        if character in "DWS":
            return _inverted(_named(character.lower()))
        if character.isascii() and (character.isalnum() or character == "_"):
            self._pos -= 1
            raise self._wrong(f"has an escape `\\{character}` that is not supported")
        return self._literal(ord(character))

    def _class(self) -> Ranges:
        negated = self._peek() == "^"
        if negated:
            self._pos += 1
        ranges: Ranges = []
        first = True
        while first or self._peek() != "]":
            first = False
            low = self._class_point(ranges)
            if low < 0:
                continue
            high = low
            if self._peek() == "-" and self._text[self._pos + 1 : self._pos + 2] not in ("]", ""):
                self._pos += 1
                high = self._class_point(ranges)
                if high < low:
                    raise self._wrong("has a range that ends before it begins")
            ranges.append((low, high))
        self._pos += 1
        ranges = self._folded(ranges)
        return _inverted(ranges) if negated else ranges

    def _class_point(self, ranges: Ranges) -> int:
        """Return the next character of a class; -1 for a named one, which is added."""
        character = self._take()
        if character == "[" and self._peek() == ":":
            raise self._wrong("has a named class such as [:alpha:]; write a-zA-Z")
        if character != "\\":
            return ord(character)
        following = self._take()
        if following in _CONTROLS:
            return _CONTROLS[following]
        if following in "dws":
            ranges.extend(_named(following))
            return -1
        if following in "DWS":
            ranges.extend(_inverted(_named(following.lower())))
            return -1
        if following.isascii() and following.isalnum():
            raise self._wrong(f"has an escape `\\{following}` that is not supported")
        return ord(following)


def _named(character: str) -> Ranges:
    if character == "d":
        return _DIGIT
    return _WORD if character == "w" else _SPACE


def _inverted(ranges: Ranges) -> Ranges:
    found: Ranges = []
    after = 0
    for low, high in sorted(ranges):
        if low > after:
            found.append((after, low - 1))
        after = max(after, high + 1)
    if after <= _LAST:
        found.append((after, _LAST))
    return found


def _contains(ranges: Ranges, point: int) -> bool:
    for low, high in ranges:  # noqa: SIM110 - a generator is no native loop
        if low <= point <= high:
            return True
    return False
