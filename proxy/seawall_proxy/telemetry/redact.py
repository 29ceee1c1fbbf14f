"""What must not leave the process: secrets and personal data, replaced before anything touches the disk
or the wire.

Two kinds of rule. A *key rule* drops the value of a key whose name says that it is secret, whatever the
value is (names are compared without case and without `-`, `_` and `.`, as a substring). A *value rule*
recognises secrets by their shape inside free text: PEM blocks, tokens with a known prefix, credentials in
a URL, card numbers that pass the Luhn check, long strings of high entropy. Addresses keep their network
(/24, /48), which is what a person who looks for the broken host needs.

A replaced value reads `[redacted:RULE:~N]`, where N is its length rounded up to a power of two; no part
of the value remains. `RULES_VERSION` grows with every change. Patterns are bounded and start at a
character that they consume, so the time is linear in the input, of which at most `MAX_INPUT` characters
are looked at.

Sources: the deny list of the Sentry SDK and relay; Luhn (ISO/IEC 7812-1); IBAN check digits (ISO 13616).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from math import log2
from typing import Final

RULES_VERSION: Final = 1

MAX_INPUT: Final = 2048
"""Characters of a text that are looked at."""
MAX_VALUE_BYTES: Final = 1024
"""UTF-8 bytes of a text that are kept."""
MAX_ID_BYTES: Final = 256
MAX_DEPTH: Final = 5
MAX_BREADTH: Final = 10

DENIED_KEYS: Final[tuple[str, ...]] = (
    "password",
    "passwd",
    "passphrase",
    "mysqlpwd",
    "secret",
    "apikey",
    "accesskey",
    "privatekey",
    "auth",
    "credential",
    "token",
    "bearer",
    "cookie",
    "session",
    "connectsid",
    "phpsessid",
    "csrf",
    "xsrf",
    "jwt",
    "xforwardedfor",
    "xrealip",
    "ipaddress",
    "remoteaddr",
    "grpctracebin",
)

_NOT_LETTERS: Final = re.compile(r"[-_. ]+")
_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_NAMES: Final = re.compile(r"/?[A-Za-z_-]+\d{0,4}(?:/[A-Za-z_-]+\d{0,4})*+/?")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")

# In prose, `token: unexpected end` is a sentence and `token=...`, `"token": "..."` are values; only the
# strong words are believed with a colon and a space.
_STRONG: Final = (
    r"pass(?:word|wd|phrase)|secret|api[-_.]?key|authorization|cookie|private[-_.]?key|access[-_.]?key"
)
_WEAK: Final = r"token|credentials?|pwd|session(?:[-_.]?id)?|csrf|xsrf|connect\.sid|jwt|auth"
_QUOTED_OR_WORD: Final = (
    r"""(?:(?:bearer|basic|digest)\s+)?(?:\\?"[^"]{0,2048}"?|'[^']{0,2048}'?|[^\s,;&"'}\])]{1,2048})"""
)

_SECRET: Final = re.compile(
    rf"""
      (?P<uuid>    \b[0-9a-f]{{8}}-(?:[0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}\b )
    | (?P<pem>     -----BEGIN\ [A-Z0-9 ]{{0,40}}-----(?s:.)*?(?:-----END\ [A-Z0-9 ]{{0,40}}-----|\Z) )
    | (?P<jwt>     \beyJ[\w-]{{6,4096}}\.[\w-]{{2,4096}}(?:\.[\w-]{{0,4096}})? )
    | (?P<key>     (?P<name> (?:{_STRONG})[\w.-]{{0,32}}\\?["']?\s{{0,4}}[:=]\s{{0,4}}
                           | (?:{_WEAK})[\w.-]{{0,32}}\\?["']?\s{{0,4}}
                             (?:=\s{{0,4}}|:\s{{0,4}}(?=[\\"'])|:(?=\S)) )
                   (?P<value> {_QUOTED_OR_WORD} ) )
    | (?P<scheme>  \b(?:bearer|basic|digest|negotiate)\s{{1,4}}[\w.~+/=-]{{8,4096}} )
    | (?P<userinfo> (?<=://)[^\s/@]{{1,256}}@ )
    | (?P<cloud>   \b(?: (?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{{16}} | AIza[\w-]{{35}} | ya29\.[\w-]{{10,512}}
                       | gh[pousr]_\w{{20,255}} | github_pat_\w{{20,255}} | glpat-[\w-]{{16,255}}
                       | swe?_\w{{20,255}}
                       | npm_\w{{30,255}} | xox[abeoprs]-[\w-]{{8,255}} | [spr]k_(?:live|test)_\w{{8,255}}
                       | whsec_[\w+/=]{{8,255}} | sk-[\w-]{{20,255}} | SG\.[\w-]{{16,64}}\.[\w-]{{16,64}} ) )
    | (?P<email>   \b[\w.+%-]{{1,64}}@[\w-]{{1,63}}(?:\.[\w-]{{1,63}}){{1,8}} )
    | (?P<phone>   (?<![\w+])\+\d[\d\ ().-]{{6,18}}\d )
    | (?P<ip>      (?<![\w.])\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?!\.?\w) )
    | (?P<ip6>     (?<![\w:])(?:[0-9a-f]{{1,4}})?:[0-9a-f:]{{1,34}}(?![\w]) )
    | (?P<iban>    \b[A-Z]{{2}}\d{{2}}(?:\ ?[A-Z0-9]{{4}}){{2,7}}(?:\ ?[A-Z0-9]{{1,3}})?\b )
    | (?P<card>    (?<![\d.])\d(?:[ -]?\d){{12,18}}(?![\d]) )
    | (?P<entropy> [A-Za-z0-9+/_=-]{{32,}}+ )
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)

Json = None | bool | int | float | str | Mapping[str, "Json"] | Sequence["Json"]


@lru_cache(maxsize=1024)
def redact_text(text: str) -> str:
    """Return a text without its secrets, on one line, at most 1 KiB long."""
    return clip(_SECRET.sub(_replace, _prepare(text)), MAX_VALUE_BYTES)


@lru_cache(maxsize=1024)
def redact_identifier(text: str) -> str:
    """Return an identifier that a user chose (a job's id or name) without secrets of a known shape, at
    most 256 bytes.

    Long random strings are what identifiers are made of, so the entropy rule is not asked.
    """
    return clip(_SECRET.sub(_replace_known, _prepare(text)), MAX_ID_BYTES)


def is_denied(key: str) -> bool:
    """Tell whether a key's name says that its value is secret; `-bin` metadata always counts as that."""
    if key.lower().endswith("-bin"):
        return True
    bare = _NOT_LETTERS.sub("", key).lower()
    return any(word in bare for word in DENIED_KEYS)


def redact_value(key: str, value: Json, depth: int = 0) -> Json:
    """Return a JSON value under `key` without secrets, at most 5 deep and 10 wide; what is cut is marked."""
    if is_denied(key):
        return _mark("key", len(str(value)))
    if isinstance(value, str):
        return redact_text(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if depth >= MAX_DEPTH:
        return "[cut:depth]"
    if isinstance(value, Mapping):
        kept: dict[str, Json] = {}
        for name in list(value)[:MAX_BREADTH]:
            kept[clip(str(name), MAX_ID_BYTES)] = redact_value(str(name), value[name], depth + 1)
        if len(value) > MAX_BREADTH:
            kept["[cut]"] = len(value) - MAX_BREADTH
        return kept
    items: list[Json] = [redact_value("", item, depth + 1) for item in value[:MAX_BREADTH]]
    if len(value) > MAX_BREADTH:
        items.append(f"[cut:{len(value) - MAX_BREADTH}]")
    return items


def clip(text: str, limit_bytes: int) -> str:
    """Return at most `limit_bytes` of UTF-8, whole characters, with an ellipsis where something was cut."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= limit_bytes:
        return raw.decode("utf-8")
    return raw[: limit_bytes - 3].decode("utf-8", "ignore") + "…"


def _prepare(text: str) -> str:
    if len(text) > MAX_INPUT:
        # A secret that is cut in two would no longer be recognised: drop the word at the cut.
        space = text.rfind(" ", 0, MAX_INPUT)
        text = text[:space] if space > 0 else _mark("long", len(text))
    if "-----BEGIN" not in text:
        text = _CONTROL.sub(" ", text)
    return text


def _replace(match: re.Match[str]) -> str:
    return _decide(match, entropy=True)


def _replace_known(match: re.Match[str]) -> str:
    return _decide(match, entropy=False)


def _decide(match: re.Match[str], *, entropy: bool) -> str:
    found = match.group()
    rule = match.lastgroup or ""
    if rule == "uuid":
        return found
    if rule == "key":
        return f"{match['name']}{_mark(rule, len(match['value']))}"
    if rule == "scheme":
        return _mark(rule, len(found)) if _looks_encoded(found.split(None, 1)[1]) else found
    if rule == "userinfo":
        return f"{_mark(rule, len(found) - 1)}@"
    if rule in ("ip", "ip6"):
        return _mask(found)
    if (
        (rule == "card" and not _is_luhn(found))
        or (rule == "iban" and not _is_iban(found))
        or (rule == "entropy" and not (entropy and _is_random(found)))
    ):
        return found
    return _mark(rule, len(found))


def _mark(rule: str, length: int) -> str:
    return f"[redacted:{rule}:~{1 << max(length - 1, 0).bit_length()}]"


def _looks_encoded(word: str) -> bool:
    """Tell a credential from the next word of a sentence (`basic authentication failed`)."""
    return any(c in "0123456789=+/_~" for c in word) or word[1:] != word[1:].lower()


def _mask(found: str) -> str:
    try:
        if ":" not in found:
            v4 = IPv4Address(found)
            return found if v4.is_loopback or v4.is_unspecified else found.rpartition(".")[0] + ".x"
        v6 = IPv6Address(found)
    except AddressValueError:
        return found
    if v6.is_loopback or v6.is_unspecified:
        return found
    return f"{IPv6Address(int(v6) >> 80 << 80)}/48"


def _is_luhn(found: str) -> bool:
    digits = [int(c) for c in found if c.isdigit()]
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0 and len(set(digits)) > 1


def _is_iban(found: str) -> bool:
    bare = found.replace(" ", "").upper()
    if not 15 <= len(bare) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in bare[4:] + bare[:4])) % 97 == 1


def _is_random(found: str) -> bool:
    """Tell a key from a long name: hexadecimal digits only, or mixed kinds of character with high entropy."""
    if _HEX.fullmatch(found):
        return _entropy(found) >= 2.5
    if _NAMES.fullmatch(found):
        return False
    kinds = (str.isdigit, str.islower, str.isupper)
    mixed = sum(any(kind(c) for c in found) for kind in kinds)
    return mixed >= 2 and any(c.isdigit() for c in found) and _entropy(found) >= (4.0 if mixed == 3 else 4.2)


def _entropy(text: str) -> float:
    """Return Shannon's entropy in bits a character."""
    size = len(text)
    shares = [text.count(c) / size for c in set(text)]
    return -sum(share * log2(share) for share in shares)
