"""Reading what a fallback answers with, beside static messages: another method, the last good answer, an
empty one; and fitting methods that stand in for others.
"""

from __future__ import annotations

import re
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy import last_good
from seawall_policy.compile import codes
from seawall_policy.compile.keys import read_memory, read_name
from seawall_policy.compile.scope import Scope
from seawall_policy.descriptors import DescriptorSource
from seawall_policy.last_good import LastGoodOptions
from seawall_policy.model import FallbackStep, Route
from seawall_policy.suggest import did_you_mean, quoted

MAX_KEYS: Final = 8
"""Parts of the key of last good answers; each costs every call."""

_PATH: Final = re.compile(r"/[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*/[A-Za-z0-9_.-]+", re.ASCII)
_MAX_PATH: Final = 2048
_SHOWN: Final = 5
_METADATA: Final = "metadata:"
_REQUEST: Final = "request"


def read_method(scope: Scope, entry: policy_pb2.Fallback) -> bytes:
    """Return the path of the method that is called instead; empty for none, or after a report."""
    path = entry.method
    if not path:
        return b""
    if len(path) > _MAX_PATH or not _PATH.fullmatch(path):
        (scope / "method").error(
            codes.BAD_METHOD, f"{quoted(path)} is no path; write it like `/shop.v1.Catalog/ListCached`"
        )
        return b""
    return path.encode("ascii")


def read_last_good(scope: Scope, entry: policy_pb2.Fallback) -> LastGoodOptions | None:
    """Return which answers are kept and served; None where none are."""
    if not entry.HasField("last_good"):
        return None
    scope = scope / "last_good"
    own = entry.last_good
    if not own.HasField("max_age"):
        (scope / "max_age").error(
            codes.MISSING, "say how old an answer may be, such as `last_good: {max_age: 10m}`"
        )
    by_request, metadata = _read_key(scope / "key", own)
    return LastGoodOptions(
        (scope / "max_age").duration(own.max_age if own.HasField("max_age") else None, "1s", "168h", 1.0),
        by_request,
        metadata,
        (scope / "max_entries").integer(
            own.max_entries if own.HasField("max_entries") else None, 1, 100_000, last_good.MAX_ENTRIES
        ),
        read_memory(scope / "memory", own.memory if own.HasField("memory") else None, last_good.MEMORY_BYTES),
        own.shared,
    )


def _read_key(scope: Scope, own: policy_pb2.LastGood) -> tuple[bool, tuple[bytes, ...]]:
    if not own.key:
        return True, ()
    if len(own.key) > MAX_KEYS:
        scope.error(codes.TOO_MANY, f"has {len(own.key)} parts; at most {MAX_KEYS} are allowed")
    by_request = False
    names: dict[bytes, None] = {}
    for index, part in enumerate(own.key[:MAX_KEYS]):
        place = scope.at(index)
        if part == _REQUEST:
            by_request = True
        elif part.startswith(_METADATA):
            name = read_name(place, part.removeprefix(_METADATA))
            if name in names:
                place.warn(codes.REPEATED, f"{quoted(part)} is already in the list; remove it")
            if name:
                names[name] = None
        else:
            hint = did_you_mean(part, (_REQUEST, _METADATA))
            place.error(
                codes.BAD_KEY, f"{quoted(part)} is neither `request` nor `metadata:NAME`, such as "
                f"`metadata:x-tenant`.{hint}",
            )  # fmt: skip
    return by_request, tuple(sorted(names))


def check_one_key(scope: Scope, steps: list[FallbackStep]) -> None:
    """Report last good answers with different keys: a route keeps each answer once."""
    spec = None
    for index, step in enumerate(steps):
        if step.last_good is None:
            continue
        if spec is not None and step.last_good.spec() != spec:
            (scope.at(index) / "last_good").error(
                codes.EXCLUSIVE,
                "has another `key` or `shared` than the last_good before it; give both the same",
            )
        spec = step.last_good.spec()


def fit_methods(source: DescriptorSource, route: Route, owner: Scope) -> None:
    """Find out which methods of a route cannot be stood in for by the methods of its fallbacks."""
    for index, step in enumerate(route.policy.fallback):
        if not step.method:
            continue
        place = (owner / "fallback").at(index) / "method"
        name = step.method.decode("ascii")
        if not source.empty and not source.response_type(step.method):
            service = name[1:].partition("/")[0]
            known = [path.decode("utf-8") for path in source.paths(service)]
            if known:
                place.warn(codes.NO_SUCH_METHOD, f"no descriptor has {name}.{did_you_mean(name, known)}")
            continue
        paths = source.paths(route.service, route.method)
        misfits = {path: text for path in paths if (text := source.misfit(path, step.method))}
        if not misfits:
            continue
        step.unfit.update(misfits)
        first = next(iter(misfits))
        text = f"cannot answer {first.decode('utf-8')} (route {quoted(route.name)}): {misfits[first]}"
        if route.method:
            place.error(codes.METHOD_MISFIT, text)
        else:
            count = f"{len(misfits)} of {len(paths)} methods pass over it"
            place.warn(codes.METHOD_PARTIAL, f"{text}; {count}")
