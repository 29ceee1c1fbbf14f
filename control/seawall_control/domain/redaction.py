"""Removes secrets from events at ingest: the second of two passes (the first runs in the proxy, before
anything touches a disk).

Keys are compared as substrings, ignoring case and `-_.`, after the lists of Sentry's clients and server;
values are searched for shapes that are secrets wherever they stand. A match is replaced as a whole by
`[redacted:RULE]`, never shortened, so that no part of a secret survives. All patterns are linear: bounded
repetitions, no nesting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from seawall_control.domain.events import Json

RULES_VERSION: Final = 2

_SECRET_KEYS: Final = (
    "password", "passwd", "secret", "apikey", "auth", "credential", "mysqlpwd", "privatekey", "token",
    "session", "csrf", "xsrf", "cookie", "phpsessid", "symfony", "bearer", "xamzsecurity", "signature",
    "connectsid",
)  # fmt: skip
_HARMLESS_KEYS: Final = frozenset({"author", "authority", "authors"})
"""Contain `auth` and hold no secret."""

_STRIP: Final = str.maketrans("", "", "-_. ")

_LOCAL_CHARS: Final = 64
"""What an address may have before its @."""
_HOST: Final = r"@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,7}\.[A-Za-z]{2,24}\b"
_VALUE_RULES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    (
        "pem",
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{1,40}-----[A-Za-z0-9+/=\s:,.-]{0,16384}"
            r"(?:-----END [A-Z0-9 ]{1,40}-----|\Z)"
        ),
    ),
    ("jwt", re.compile(r"\beyJ[A-Za-z0-9_-]{5,8192}\.[A-Za-z0-9_-]{2,8192}(?:\.[A-Za-z0-9_-]{0,8192})?")),
    ("bearer", re.compile(r"(?i)\b(?:bearer|basic)[ \t]{1,4}[A-Za-z0-9._~+/=-]{6,8192}")),
    ("userinfo", re.compile(r"(?<=://)[^\s/@:]{1,256}:[^\s/@]{1,256}(?=@)")),
    ("email", re.compile(rf"(?<![\w.+-])[\w.+-]{{1,{_LOCAL_CHARS}}}{_HOST}", re.ASCII)),
    ("phone", re.compile(r"(?<![\w.])\+\d(?:[ ()/-]{0,2}\d){6,14}(?!\w)", re.ASCII)),
    ("aws", re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b")),
    ("google", re.compile(r"\bAIza[A-Za-z0-9_-]{35}")),
    ("github", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255})")),
    ("seawall", re.compile(r"\bswe?_[A-Za-z0-9]{20,255}")),
    ("slack", re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,255}")),
    # A pattern that begins with a letter is looked for by that letter; with a boundary, everywhere.
    ("stripe", re.compile(r"[rs](?<!\w.)k_(?:live|test)_[A-Za-z0-9]{10,255}")),
    (
        "assignment",
        re.compile(
            r"(?i)(?<![a-z])(?:password|passwd|secret|api[_-]?key|access[_-]?token|private[_-]?key)"
            r"[\"']{0,2}\s{0,3}[=:]\s{0,3}[\"']{0,2}[^\s\"',;&)}]{1,1024}"
        ),
    ),
)
_MARKS: Final[Mapping[str, tuple[str, ...]]] = {
    "pem": ("-----begin",),
    "jwt": ("eyj",),
    "bearer": ("bearer", "basic"),
    "userinfo": ("://",),
    "email": ("@",),
    "phone": ("+",),
    "aws": ("akia", "asia", "aroa", "aida"),
    "google": ("aiza",),
    "github": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    "seawall": ("sw_", "swe_"),
    "slack": ("xox",),
    "stripe": ("k_live_", "k_test_"),
    "assignment": ("passw", "secret", "api", "access", "private"),
}
"""What a text must contain, in lower case, for its rule to match: most texts contain none, and looking for a
word is much cheaper than searching for a shape.
"""
_GUARDS: Final[Mapping[str, str]] = {
    "aws": "A",
    "github": "_",
    "google": "A",
    "jwt": "J",
    "pem": "-",
    "seawall": "_",
    "slack": "x",
    "stripe": "_",
}
"""Of rules that mind the case: a letter that a text must have as it is. To look for one takes a quarter of
the time that a word takes.
"""
_SEARCHED: Final = tuple(
    [(f"[redacted:{rule}]", pattern, _GUARDS.get(rule, ""), _MARKS[rule]) for rule, pattern in _VALUE_RULES]
)
_EMAIL: Final = "[redacted:email]"
_CARD: Final = re.compile(r"\d(?<![\w.-].)(?:[ -]?\d){12,18}(?![\w.-])")
_CARD_DIGITS: Final = 13
"""A card number has at least so many."""
_LOCAL: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.+-"
_AT_HOST: Final = re.compile(_HOST, re.ASCII)
_ANY_DIGIT: Final = bytes(ord("0") if chr(byte).isdigit() else byte for byte in range(128)) + bytes(128)
_MANY_DIGITS: Final = b"0" * _CARD_DIGITS


def is_secret_key(key: str) -> bool:
    """Tell whether a key's value must not be kept whatever it is."""
    plain = key.lower().translate(_STRIP)
    return plain not in _HARMLESS_KEYS and (
        key.lower().endswith("-bin") or any(word in plain for word in _SECRET_KEYS)
    )


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _card(match: re.Match[str]) -> str:
    digits = re.sub(r"[ -]", "", match.group())
    return "[redacted:card]" if _luhn(digits) else match.group()


def redact_text(text: str) -> str:
    """Return the text without what looks like a secret."""
    if not text:
        return text
    # Some letters beyond ASCII match ASCII ones without regard to case: there every shape is looked for.
    if text.isascii():
        came, lower = text, text.lower()
        for replacement, pattern, guard, marks in _SEARCHED:
            if guard not in came:
                continue
            # A loop: a generator for `any` costs more than what it asks.
            for mark in marks:
                if mark in lower:
                    text = (
                        _without_addresses(text) if replacement == _EMAIL else pattern.sub(replacement, text)
                    )
                    break
    else:
        for replacement, pattern, _, _ in _SEARCHED:
            text = pattern.sub(replacement, text)
    return _CARD.sub(_card, text) if _may_have_card(text) else text


def _without_addresses(text: str) -> str:
    """Return what the rule `email` makes of a text. It is looked for by the @: to try every place of a text
    as its beginning costs as much as all other rules.
    """
    parts: list[str] = []
    done = 0
    at = text.find("@")
    while at >= 0:
        # All before the @ that can belong to it does, since nothing that can may stand before its beginning.
        before = text[max(0, at - _LOCAL_CHARS - 1) : at]
        size = len(before) - len(before.rstrip(_LOCAL))
        found = _AT_HOST.match(text, at) if 0 < size <= _LOCAL_CHARS and at - size >= done else None
        if found is not None:
            parts += (text[done : at - size], _EMAIL)
            done = found.end()
        at = text.find("@", max(at + 1, done))
    return "".join((*parts, text[done:])) if parts else text


def _may_have_card(text: str) -> bool:
    """Tell whether a text has digits enough for a card number, with nothing but spaces and hyphens between
    them: much cheaper than looking for one.
    """
    if len(text) < _CARD_DIGITS:
        return False
    return not text.isascii() or _MANY_DIGITS in text.encode().translate(_ANY_DIGIT, b" -")


def redact_json(value: Json) -> Json:
    """Return the value without secrets, by key and by shape, at every depth."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {
            redact_text(key): "[redacted:key]"
            if is_secret_key(key) and item not in (None, "")
            else redact_json(item)
            for key, item in value.items()
        }
    if isinstance(value, Sequence):
        return [redact_json(item) for item in value]
    return value
