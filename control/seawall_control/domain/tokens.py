"""API tokens: how a secret looks, and what is kept of it.

A secret is `sw_`, 43 characters of base 62 that hold 256 random bits, and 6 that hold the CRC-32 of what
stands before them: scanners of repositories find the prefix, and a mistyped one is told from a revoked one.
Kept is its SHA-256; with 256 random bits a slower hash would protect nothing more. Enrolment tokens are made
alike, with `swe_`.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from seawall_control.domain.access import TOKEN_ROLES, Role
from seawall_control.domain.errors import InvalidRequest

API_PREFIX: Final = "sw_"
ENROLMENT_PREFIX: Final = "swe_"
SECRET_BYTES: Final = 32
MAX_TOKENS: Final = 1000
"""Tokens that may exist at once; all are held in memory."""
KIND: Final = "access.token"
USED_GRAIN_US: Final = 60_000_000
"""The time of the last use is kept to the minute: a busy token costs one write a minute."""

LIMITED_ROLES: Final = frozenset({Role.VIEWER, Role.EDITOR})
"""Roles that can be limited to policy sets."""
_FORMAT: Final = 2
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_CHARS: Final = 43
_CHECK_CHARS: Final = 6
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@/-]{0,127}")


def _base62(value: int, length: int) -> str:
    found = ""
    for _ in range(length):
        value, digit = divmod(value, 62)
        found = _ALPHABET[digit] + found
    return found


def secret_of(prefix: str, random: bytes) -> str:
    """Return the secret for 32 random bytes."""
    if len(random) != SECRET_BYTES:
        raise ValueError(f"a secret takes {SECRET_BYTES} random bytes, not {len(random)}")
    text = prefix + _base62(int.from_bytes(random, "big"), _RANDOM_CHARS)
    return text + _base62(zlib.crc32(text.encode()), _CHECK_CHARS)


def is_well_formed(prefix: str, secret: str) -> bool:
    """Tell whether a text can be a secret of this kind at all: prefix, length, characters, check sum."""
    if not secret.startswith(prefix) or len(secret) != len(prefix) + _RANDOM_CHARS + _CHECK_CHARS:
        return False
    if not secret.isascii() or not secret[len(prefix) :].isalnum():
        return False
    text, check = secret[:-_CHECK_CHARS], secret[-_CHECK_CHARS:]
    return _base62(zlib.crc32(text.encode()), _CHECK_CHARS) == check


def hashed(secret: str) -> str:
    """Return what is kept of a secret."""
    return sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An API token as it is kept."""

    name: str
    """Unique; who or what uses it."""
    digest: str
    """SHA-256 of the secret, in hexadecimal."""
    roles: frozenset[Role]
    created_us: int
    created_by: str
    owner: str = ""
    """The person that it stands for, who may have several; empty where nobody has made it."""
    expires_us: int = 0
    """0: never."""
    last_used_us: int = 0
    """To the minute; 0: never."""
    policy_sets: frozenset[str] = frozenset()
    """What it is limited to; empty: to nothing."""

    @property
    def id(self) -> str:
        """Names the token in the audit, also after another was made under the same name; no secret."""
        return self.digest[:12]

    def expired(self, now_us: int) -> bool:
        """Tell whether its time is over."""
        return 0 < self.expires_us <= now_us


def checked_name(name: str) -> str:
    """Return a token's name. Raise `InvalidRequest`."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            "name must have 1 to 128 letters, digits or ._@/- and begin with a letter or digit, "
            "such as alice-laptop"
        )
    return name


def checked_owner(owner: str) -> str:
    """Return who a token stands for, in small letters: `Ann` and `ann` are no two people. Raise
    `InvalidRequest`.
    """
    if not _NAME.fullmatch(owner):
        raise InvalidRequest(
            "owner must have 1 to 128 letters, digits or ._@/- and begin with a letter or digit, such as "
            "alice@example.com"
        )
    return owner.lower()


def checked_roles(roles: Iterable[Role]) -> frozenset[Role]:
    """Return the roles of a token. Raise `InvalidRequest`."""
    found = frozenset(roles)
    if not found or not found <= TOKEN_ROLES:
        known = ", ".join(sorted(role.label for role in TOKEN_ROLES))
        raise InvalidRequest(f"roles must name one or several of {known}")
    if Role.PROXY in found and len(found) > 1:
        raise InvalidRequest("a token for a proxy has the role proxy alone: its name is the node's")
    return found


def checked_limits(roles: frozenset[Role], policy_sets: frozenset[str]) -> None:
    """Raise `InvalidRequest` for roles that cannot be limited to policy sets."""
    if policy_sets and not roles <= LIMITED_ROLES:
        known = ", ".join(sorted(role.label for role in LIMITED_ROLES))
        raise InvalidRequest(f"a token that is limited to policy sets has the roles {known} alone")


def encoded(token: Token) -> str:
    """Return the body of the token's document."""
    return json.dumps(
        {
            "digest": token.digest,
            # A version that knows no limits finds no role there, and lets nobody in.
            "scoped_roles" if token.policy_sets else "roles": sorted(role.label for role in token.roles),
            **({"roles": [], "policy_sets": sorted(token.policy_sets)} if token.policy_sets else {}),
            "created_us": token.created_us,
            "created_by": token.created_by,
            "owner": token.owner,
            "expires_us": token.expires_us,
            "last_used_us": token.last_used_us,
            "format": _FORMAT,
        },
        separators=(",", ":"),
    )


def decoded(name: str, body: str) -> Token:
    """Return the token of a document."""
    value = json.loads(body)
    # A role of a newer version is one that this version does not grant.
    named = value.get("scoped_roles", value["roles"])
    roles = frozenset(Role[r.upper()] for r in named if r.upper() in Role.__members__)
    if Role.OPERATOR in roles and "format" not in value:
        # Made when an operator changed policies too: it goes on to do what it was made for.
        roles |= {Role.EDITOR}
    return Token(
        name=name,
        digest=str(value["digest"]),
        roles=roles,
        created_us=int(value["created_us"]),
        created_by=str(value["created_by"]),
        # One that was made before owners were told apart is taken for its maker's.
        owner=str(value.get("owner", value["created_by"])),
        expires_us=int(value["expires_us"]),
        last_used_us=int(value["last_used_us"]),
        policy_sets=frozenset(str(name) for name in value.get("policy_sets", ())),
    )
