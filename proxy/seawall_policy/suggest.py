"""Did you mean ...? The nearest known word to a misspelt one.

Distance is optimal string alignment (Damerau-Levenshtein without repeated edits of a substring): insertion,
deletion, substitution and a swap of neighbours cost one each, which is what typing errors are made of. A word
is near when at most a third of its letters are wrong; a wrong suggestion is worse than none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_MAX_LENGTH: Final = 64
"""Longer words are no typing errors, and the distance costs length times length."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that `word` most likely stands for; empty when none is near."""
    if not word or len(word) > _MAX_LENGTH:
        return ""
    folded = _fold(word)
    best = ""
    best_distance = _MAX_LENGTH
    for candidate in known:
        other = _fold(candidate)
        longest = max(len(folded), len(other))
        limit = max(1, longest // 3)
        if longest > _MAX_LENGTH or abs(len(other) - len(folded)) > limit:
            continue
        distance = _distance(folded, other)
        # One letter for another is no misspelling: `a` is not meant where there is only `b`.
        if distance <= limit and distance < min(best_distance, longest):
            best, best_distance = candidate, distance
    return best


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` Did you mean X?`, with the leading space, or an empty string."""
    found = nearest(word, known)
    return f" Did you mean {found}?" if found else ""


def _fold(word: str) -> str:
    return word.casefold().replace("-", "_").replace(" ", "_")


def _distance(left: str, right: str) -> int:
    two_ago: list[int] = []
    last = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        row = [i]
        for j, b in enumerate(right, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, two_ago[j - 2] + 1)
            row.append(cost)
        two_ago, last = last, row
    return last[-1]


def quoted(text: str) -> str:
    """Return `text` in double quotes, shortened, and with everything escaped that a terminal might act on."""
    shown = text if len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH - 1] + "…"
    safe = "".join(c if c.isprintable() and c not in '"\\' else _escape(c) for c in shown)
    return f'"{safe}"'


def _escape(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character.encode("unicode_escape").decode("ascii")
