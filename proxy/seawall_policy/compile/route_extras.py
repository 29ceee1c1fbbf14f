"""Reading what a route does beside sending calls on: changes of metadata, and copies for mirrors."""

from __future__ import annotations

import binascii
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy.compile import codes
from seawall_policy.compile.scope import Scope
from seawall_policy.header_change import Field, HeaderChange
from seawall_policy.model import MirrorTarget
from seawall_policy.suggest import did_you_mean, quoted

MAX_CHANGES: Final = 32
"""Names in each of set, add and remove."""

MAX_NAME_CHARACTERS: Final = 256
MAX_VALUE_CHARACTERS: Final = 4096

MAX_MIRRORS: Final = 4
"""Each copy costs an upstream call."""

_NAME: Final = re.compile(r"[a-z0-9_.-]+", re.ASCII)
_VALUE: Final = re.compile(r"[\x20-\x7e]*")

_CONNECTION: Final = frozenset(
    {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
)
"""Names that mean one connection only (RFC 9113 section 8.2.2)."""
_FRAMING: Final = frozenset({"te", "content-type", "content-length", "host", "trailer"})


def read_headers(scope: Scope, route: policy_pb2.Route) -> tuple[HeaderChange | None, HeaderChange | None]:
    """Return the changes of the request and of the response; None where nothing changes."""
    if not route.HasField("headers"):
        return None, None
    place = scope / "headers"
    return (
        _read_change(place / "request", route.headers.request),
        _read_change(place / "response", route.headers.response),
    )


def _read_change(scope: Scope, change: policy_pb2.HeaderChange) -> HeaderChange | None:
    seen: dict[str, str] = {}
    set_fields = _read_fields(scope / "set", change.set, "set", seen)
    add_fields = _read_fields(scope / "add", change.add, "add", seen)
    remove = _read_names(scope / "remove", change.remove, seen)
    if not set_fields and not add_fields and not remove:
        return None
    return HeaderChange(set_fields, add_fields, remove)


def _read_fields(
    scope: Scope, fields: Mapping[str, str], where: str, seen: dict[str, str]
) -> tuple[Field, ...]:
    _check_count(scope, len(fields))
    found: list[Field] = []
    for name, value in sorted(fields.items()):
        place = scope / name
        if _check_name(place, name, where, seen) and _check_value(place, name, value):
            found.append((name.encode("ascii"), value.encode("ascii")))
    return tuple(found)


def _read_names(scope: Scope, names: Iterable[str], seen: dict[str, str]) -> frozenset[bytes]:
    given = list(names)
    _check_count(scope, len(given))
    found: set[bytes] = set()
    for index, name in enumerate(given):
        if _check_name(scope.at(index), name, "remove", seen):
            found.add(name.encode("ascii"))
    return frozenset(found)


def _check_count(scope: Scope, count: int) -> None:
    if count > MAX_CHANGES:
        scope.error(codes.TOO_MANY, f"has {count} names; at most {MAX_CHANGES} are allowed")


def _check_name(scope: Scope, name: str, where: str, seen: dict[str, str]) -> bool:
    mistake = name_mistake(name)
    if mistake:
        scope.error(codes.BAD_HEADER, mistake)
        return False
    before = seen.get(name)
    if before == where:
        scope.warn(codes.REPEATED, f"{quoted(name)} is already in the list; remove it")
        return False
    if before is not None:
        scope.error(codes.EXCLUSIVE, f"{quoted(name)} is under `{before}` too; keep one of them")
        return False
    seen[name] = where
    return True


def name_mistake(name: str) -> str:
    """Return why metadata of that name cannot be changed, or an empty string."""
    if not name:
        return "a name is missing; write the name of the metadata, such as `x-tier`"
    if name.casefold() != name:
        return f"{quoted(name)} is not lower case; metadata names are, write {quoted(name.casefold())}"
    if name.startswith(":"):
        return f"{quoted(name)} is a pseudo-header, which routing decides; change metadata only"
    if len(name) > MAX_NAME_CHARACTERS or not _NAME.fullmatch(name):
        return f"{quoted(name)} is no metadata name; use lower-case letters, digits, `_`, `-` and `.`"
    if name.startswith("grpc-"):
        return f"{quoted(name)} is reserved for the protocol; use a name of your own"
    if name.startswith("seawall-"):
        return f"{quoted(name)} is reserved for what Seawall says itself; use a name of your own"
    if name in _CONNECTION:
        return f"{quoted(name)} is about one HTTP/1 connection, which HTTP/2 forbids; remove it"
    if name in _FRAMING:
        return f"{quoted(name)} is part of how gRPC frames a call, and cannot be changed; remove it"
    return ""


def _check_value(scope: Scope, name: str, value: str) -> bool:
    mistake = ""
    if len(value) > MAX_VALUE_CHARACTERS or not _VALUE.fullmatch(value):
        mistake = f"must be printable ASCII of at most {MAX_VALUE_CHARACTERS} characters"
        if not name.endswith("-bin"):
            mistake += "; use a `-bin` name and base64 for anything else"
    elif value != value.strip(" "):
        mistake = "starts or ends with a space, which no metadata value can; remove it"
    elif name.endswith("-bin") and not _is_base64(value):
        mistake = "is not base64, which values of `-bin` names are; encode it"
    if mistake:
        scope.error(codes.BAD_HEADER, mistake)
    return not mistake


def _is_base64(value: str) -> bool:
    bare = value.rstrip("=")
    try:
        binascii.a2b_base64(bare + "=" * (-len(bare) % 4), strict_mode=True)
    except ValueError:
        return False
    return len(value) - len(bare) <= 2


def read_mirrors(
    scope: Scope, route: policy_pb2.Route, clusters: Collection[str]
) -> tuple[MirrorTarget, ...]:
    """Return the mirrors of a route; one of 0 percent is left out."""
    place = scope / "mirror"
    if len(route.mirror) > MAX_MIRRORS:
        place.error(codes.TOO_MANY, f"has {len(route.mirror)} mirrors; at most {MAX_MIRRORS} are allowed")
    own = {route.cluster, *(backend.cluster for backend in route.backends)}
    seen: set[str] = set()
    found: list[MirrorTarget] = []
    for index, mirror in enumerate(route.mirror[:MAX_MIRRORS]):
        here = place.at(index)
        name = mirror.cluster
        if not name:
            (here / "cluster").error(codes.MISSING, "a mirror needs a cluster; add `cluster: NAME`")
        elif name not in clusters:
            (here / "cluster").error(
                codes.NO_SUCH_CLUSTER, f"there is no cluster {quoted(name)}.{did_you_mean(name, clusters)}"
            )
        elif name in seen:
            (here / "cluster").error(codes.EXCLUSIVE, f"{quoted(name)} is a mirror of this route already")
        elif name in own:
            (here / "cluster").warn(
                codes.MIRROR_TO_SELF,
                f"cluster {quoted(name)} gets the calls of this route themselves: it carries each copied "
                "call out twice; name another one",
            )
        seen.add(name)
        percent = (here / "percent").number(
            mirror.percent if mirror.HasField("percent") else None, 0.0, 100.0, 100.0, unit="%"
        )
        if percent > 0.0:
            found.append(MirrorTarget(name, percent / 100.0))
    return tuple(found)
