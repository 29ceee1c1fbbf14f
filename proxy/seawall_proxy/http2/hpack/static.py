"""The static table (RFC 7541 appendix A)."""

from __future__ import annotations

from typing import Final

from seawall_proxy.http2.headers import Field

_ROWS: Final = """
:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate
"""


def _parse() -> list[Field]:
    table: list[Field] = [(b"", b"")]
    for row in _ROWS.strip().splitlines():
        name, _, value = row.partition(" ")
        table.append((name.encode(), value.encode()))
    return table


def _index_fields(table: list[Field]) -> dict[Field, int]:
    return {table[index]: index for index in range(1, len(table))}


def _index_names(table: list[Field]) -> dict[bytes, int]:
    return {table[index][0]: index for index in range(len(table) - 1, 0, -1)}


STATIC_TABLE: Final[list[Field]] = _parse()
"""Entries 1 to 61; entry 0 is a placeholder, so that an index is used as it stands on the wire."""

STATIC_SIZE: Final = 61
STATIC_FIELDS: Final[dict[Field, int]] = _index_fields(STATIC_TABLE)
STATIC_NAMES: Final[dict[bytes, int]] = _index_names(STATIC_TABLE)
"""The lowest index of each name."""
