"""Which error events are the same error: a fingerprint over what stays the same between occurrences.

Route, method, status code, reason and phase are taken as they are. The message counts only when the server
gave no reason (`ErrorInfo.reason` is made for grouping, messages are made for people), and then in a
normalised form: quoted strings, UUIDs, addresses and numbers become placeholders, white space is folded.
Decimal and hexadecimal numbers share a placeholder, because some hexadecimal ids have decimal digits only.

The algorithm is versioned. A change of any rule here is a new function beside the old one, never an edit:
groups that exist keep the version they were made with, so an upgrade never splits them.

Work is bounded: `MAX_INPUT` characters are looked at, and `MAX_NORMALISED` of the result are kept, so that
a long number early in a message cannot shift where it is cut. Each pattern starts at a character that it
consumes and stops at the first one that does not belong to it, which keeps the whole linear.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

FINGERPRINT_VERSION: Final = 1

MAX_INPUT: Final = 4096
MAX_NORMALISED: Final = 512

_VARIABLE: Final = re.compile(
    r"""
      (?P<string> "[^"]*+"  |  `[^`]*+`  |  (?<!\w)'[^']*+'(?!\w) )
    | (?P<uuid>   \b [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12} \b )
    | (?P<addr>   \b \d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3} \b (?: :\d{1,5}\b )?
                | \[ [0-9a-f:.]{2,45} (?: %\w{1,15} )? \] (?: :\d{1,5}\b )?
                | (?<![\w:]) (?: [0-9a-f]{1,4}: ){7} [0-9a-f]{1,4} \b
                | (?<![\w:]) (?: [0-9a-f]{1,4} (?: :[0-9a-f]{1,4} ){0,6} )? ::
                              (?: [0-9a-f]{1,4} (?: :[0-9a-f]{1,4} ){0,6} \b )? (?![\w:]) )
    | (?P<num>    \b 0x[0-9a-f]++ \b
                | \b (?= [a-f]*+ \d ) (?= \d*+ [a-f] ) [0-9a-f]{6,}+ \b
                | \d++ (?: \.\d++ )*+ )
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)

_SPACE: Final = re.compile(r"\s+")


def normalise_v1(message: str) -> str:
    """Return a message with its variable parts replaced by <string>, <uuid>, <addr>, <hex> and <num>, at
    most 512 characters.
    """
    text = _VARIABLE.sub(_placeholder, message[:MAX_INPUT])
    return _SPACE.sub(" ", text).strip()[:MAX_NORMALISED]


def fingerprint_v1(route: str, method: str, code: str, reason: str, phase: str, message: str) -> str:
    """Return the group of an error as 32 hexadecimal digits.

    `code` is a status name, `reason` that of ErrorInfo (with its domain) or our own, empty when there is
    none, `phase` one of connect, headers, mid_stream, local. Fields are length-prefixed, so none can pass
    for a part of its neighbour.
    """
    subject = "" if reason else normalise_v1(message)
    digest = sha256(b"seawall/1")
    for field in (route, method, code, reason, phase, subject):
        raw = field.encode("utf-8", "backslashreplace")
        digest.update(b"%d:" % len(raw))
        digest.update(raw)
    return digest.hexdigest()[:32]


def _placeholder(match: re.Match[str]) -> str:
    return f"<{match.lastgroup}>"
