"""Page tokens: where the last page ended, bound to the request that it belongs to.

A token is opaque to callers, not secret: it holds the sort key of the last row. A check sum over the position
and the scope (resource, filter, order) tells a damaged token and one from another request apart from a good
one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from seawall_control.domain.errors import InvalidPageToken, InvalidRequest

_VERSION: Final = 1
_SUM_BYTES: Final = 9
_MAX_LENGTH: Final = 2048
SHORT_PAGE: Final = 1000

Position = tuple[str | int, ...]
T = TypeVar("T")


def _sum(body: bytes, scope: Sequence[str]) -> bytes:
    digest = hashlib.sha256(body)
    for part in scope:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return digest.digest()[:_SUM_BYTES]


def encode(position: Position, scope: Sequence[str]) -> str:
    """Return the token of the page after `position` of the list that `scope` names."""
    body = json.dumps([_VERSION, *position], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_sum(body, ()) + _sum(body, scope) + body).decode().rstrip("=")


def decode(token: str, scope: Sequence[str]) -> Position:
    """Return the position in a token. Raise `InvalidPageToken` if it is damaged or of another list."""
    if len(token) > _MAX_LENGTH:
        raise InvalidPageToken("page_token is damaged; start again without it")
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidPageToken("page_token is damaged; start again without it") from None
    own, bound, body = raw[:_SUM_BYTES], raw[_SUM_BYTES : 2 * _SUM_BYTES], raw[2 * _SUM_BYTES :]
    if own != _sum(body, ()):
        raise InvalidPageToken("page_token is damaged; start again without it")
    if bound != _sum(body, scope):
        raise InvalidPageToken(
            "page_token belongs to another filter or order; repeat those of the first page, or start again"
        )
    version, *position = json.loads(body)
    if version != _VERSION:
        raise InvalidPageToken(
            "page_token is of another version of the control plane; start again without it"
        )
    return tuple(position)


def page_size(asked: int, *, default: int, most: int) -> int:
    """Return how many rows a page has. Raise `InvalidRequest` for a negative number."""
    if asked < 0:
        raise InvalidRequest(f"page_size is {asked}; it must be 0 (the default, {default}) or more")
    return min(asked or default, most)


def short_page(
    items: Iterable[T], key: Callable[[T], Position], *, size: int, token: str, scope: Sequence[str]
) -> tuple[Sequence[T], str]:
    """Return a page of a list that is short as a rule: all of it where nothing else is asked for. Raise
    `InvalidRequest` or `InvalidPageToken`.
    """
    limit = page_size(size, default=SHORT_PAGE, most=SHORT_PAGE)
    return page_of(sorted(items, key=key), key, limit=limit, token=token, scope=scope)


def page_of(
    items: Sequence[T], key: Callable[[T], Position], *, limit: int, token: str, scope: Sequence[str]
) -> tuple[Sequence[T], str]:
    """Return a page of a list that is in memory, sorted by `key`, and the token of the next one; empty at the
    end. What comes or goes meanwhile makes no other item come twice or be left out. Raise `InvalidPageToken`.
    """
    after = decode(token, scope) if token else None
    left = items if after is None else [item for item in items if key(item) > after]
    page = left[:limit]
    return page, encode(key(page[-1]), scope) if len(left) > limit else ""
