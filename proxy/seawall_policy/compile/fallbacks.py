"""Reading fallbacks: what they answer, where they send, and the static answers in the bytes that the data
path writes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from google.protobuf import json_format

from seawall.v1 import policy_pb2
from seawall_policy import reasons, status
from seawall_policy.compile import codes
from seawall_policy.compile.fallback_answers import check_one_key, fit_methods, read_last_good, read_method
from seawall_policy.compile.scope import Scope
from seawall_policy.descriptors import DescriptorSource
from seawall_policy.model import ANY_FAILURE, ENFORCE, FallbackStep, Route, StaticAnswer
from seawall_policy.suggest import did_you_mean, nearest, quoted

MAX_STEPS: Final = 16
"""Fallbacks of one policy: a longer chain would outlast every deadline."""

MAX_PAYLOAD_BYTES: Final = 1024 * 1024
"""One static answer on the wire; it is held in memory for every method that it fits."""

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class MissingDescriptor:
    """A static answer that could not be encoded, because nothing is known about the methods of a route.

    One is given for each cluster of the route; the server reflection of any of them can tell.
    """

    route: str
    service: str
    """Full service name; empty when the route matches every service."""
    cluster: str


def read_fallbacks(
    scope: Scope, policy: policy_pb2.Policy, clusters: Collection[str]
) -> tuple[FallbackStep, ...]:
    """Return the steps of a policy, static answers still without payloads."""
    scope = scope / "fallback"
    if len(policy.fallback) > MAX_STEPS:
        scope.error(codes.TOO_MANY, f"has {len(policy.fallback)} entries; at most {MAX_STEPS} are allowed")
    steps: list[FallbackStep] = []
    sent_to: set[str] = set()
    for index, entry in enumerate(policy.fallback[:MAX_STEPS]):
        place = scope.at(index)
        mask, named = _read_when(place / "when", entry)
        static = _read_answer(place, entry, clusters)
        target = entry.cluster + entry.method
        if target in sent_to:
            (place / ("cluster" if entry.cluster else "method")).warn(
                codes.REPEATED, f"an earlier fallback already sends to {quoted(target)}"
            )
        if target and entry.mode in (policy_pb2.MODE_UNSPECIFIED, policy_pb2.MODE_ENFORCE):
            sent_to.add(target)
        steps.append(
            FallbackStep(
                mask,
                named,
                entry.cluster,
                static,
                method=read_method(place, entry),
                last_good=read_last_good(place, entry),
                empty=entry.empty,
                mode=(place / "mode").choice(entry.mode, policy_pb2.Mode.values(), ENFORCE),
            )
        )
    check_one_key(scope, steps)
    return tuple(steps)


def _read_when(scope: Scope, entry: policy_pb2.Fallback) -> tuple[int, frozenset[str]]:
    if not entry.when:
        scope.error(
            codes.MISSING,
            "say which failures this answers, such as `when: [UNAVAILABLE, BREAKER_OPEN]` or `when: any`",
        )
    mask = 0
    named: set[str] = set()
    for index, word in enumerate(entry.when):
        place = scope.at(index)
        if word.casefold() == reasons.ANY:
            mask |= ANY_FAILURE
        elif word in reasons.ANSWERABLE:
            named.add(word)
        elif word in reasons.NEVER_ANSWERED:
            place.warn(codes.NO_EFFECT, f"no fallback is asked about {word}; remove it or write `any`")
            named.add(word)
        elif word in status.CODE_BY_NAME:
            code = place.status_code(word)
            mask |= 1 << code if code > 0 else 0
        else:
            known = (*status.NAMES[1:], *reasons.ANSWERABLE, reasons.ANY)
            hint = did_you_mean(word, known)
            place.error(codes.BAD_WHEN, f"{quoted(word)} is neither a gRPC status nor a reason.{hint}")
    return mask, frozenset(named)


def _read_answer(scope: Scope, entry: policy_pb2.Fallback, clusters: Collection[str]) -> StaticAnswer | None:
    has_static = entry.HasField("static")
    given = [
        name
        for name, there in (
            ("cluster" if entry.cluster else "method", bool(entry.cluster or entry.method)),
            ("static", has_static),
            ("last_good", entry.HasField("last_good")),
            ("empty", entry.empty),
        )
        if there
    ]
    if len(given) > 1:
        scope.error(
            codes.EXCLUSIVE, f"has both `{given[0]}` and `{given[1]}`; split it into {len(given)} entries"
        )
    if not given:
        scope.error(
            codes.MISSING,
            "says nothing to answer with; add `cluster: NAME`, `static: {json: {...}}`, `last_good: 10m`, "
            "`method: /service/method` or `empty: true`",
        )
    if entry.cluster and entry.cluster not in clusters:
        hint = did_you_mean(entry.cluster, clusters)
        (scope / "cluster").error(
            codes.NO_SUCH_CLUSTER, f"there is no cluster {quoted(entry.cluster)}.{hint}"
        )
    if not has_static:
        return None
    if not entry.static.HasField("json") or entry.static.json.WhichOneof("kind") is None:
        (scope / "static").error(
            codes.MISSING, "has no message; add `json: {...}`, or `json: {}` for an empty one"
        )
        return None
    try:
        return StaticAnswer(json_format.MessageToJson(entry.static.json, indent=None, ensure_ascii=False), {})
    except (json_format.SerializeToJsonError, ValueError, RecursionError):
        (scope / "static" / "json").error(
            codes.NOT_FINITE, "holds a number that is not finite; JSON has none such"
        )
        return None


class StaticEncoder:
    """Encodes the static answers of policies for the methods of the routes that use them."""

    def __init__(self, source: DescriptorSource) -> None:
        self._source: DescriptorSource = source
        self._misfits: dict[tuple[int, bytes], str] = {}
        self.missing: dict[MissingDescriptor, None] = {}

    def encode(self, route: Route, owner: Scope, route_scope: Scope) -> None:
        """Fill in the payloads of the static answers that calls of `route` may get; `owner` is the
        policy's place.
        """
        fit_methods(self._source, route, owner)
        answers = [
            (i, step.static) for i, step in enumerate(route.policy.fallback) if step.static is not None
        ]
        if not answers:
            return
        paths = self._source.paths(route.service, route.method)
        if not paths:
            if not self._source.paths(route.service):
                for cluster, _ in route.backends:
                    self.missing[MissingDescriptor(route.name, route.service, cluster)] = None
            return
        for index, answer in answers:
            place = (owner / "fallback").at(index) / "static" / "json"
            misfits = {path: text for path in paths if (text := self._fit(answer, path))}
            if not misfits:
                continue
            if route.method:
                place.error(codes.STATIC_MISFIT, _misfit(self._source, route, paths[0], misfits[paths[0]]))
            else:
                place.warn(codes.STATIC_PARTIAL, _partial(route, len(paths), misfits))

    def _fit(self, answer: StaticAnswer, path: bytes) -> str:
        """Encode for one method; return why it does not fit, empty when it does."""
        if path in answer.payloads:
            return ""
        key = (id(answer), path)
        if key not in self._misfits:
            encoded = self._source.encode_response(path, answer.json_text)
            if isinstance(encoded, bytes) and len(encoded) <= MAX_PAYLOAD_BYTES:
                answer.payloads[path] = encoded
                return ""
            self._misfits[key] = encoded if isinstance(encoded, str) else "the message is larger than 1 MiB"
        return self._misfits[key]


def _misfit(source: DescriptorSource, route: Route, path: bytes, text: str) -> str:
    return (
        f"does not fit {source.response_type(path)}, the response of {path.decode('utf-8')} "
        f"(route {quoted(route.name)}): {text}"
    )


def _partial(route: Route, total: int, misfits: Mapping[bytes, str]) -> str:
    names = [path.decode("utf-8") for path in misfits]
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    first = next(iter(misfits.values()))
    return (
        f"fits {total - len(misfits)} of {total} methods of route {quoted(route.name)}; calls of {shown} "
        f"pass over it ({first})"
    )


def check_names(scope: Scope, route: Route, source: DescriptorSource) -> None:
    """Warn about a service or method that the descriptors do not have, when something like it is there."""
    if not route.service or source.empty:
        return
    known = source.paths(route.service)
    if not known:
        near = nearest(route.service, source.services())
        if near:
            (scope / "match" / "service").warn(
                codes.NO_SUCH_METHOD,
                f"no descriptor has a service {quoted(route.service)}. Did you mean {near}?",
            )
        return
    if route.method and not source.paths(route.service, route.method):
        methods = [path.decode("utf-8").rpartition("/")[2] for path in known]
        (scope / "match" / "method").warn(
            codes.NO_SUCH_METHOD,
            f"{route.service} has no method {quoted(route.method)}.{did_you_mean(route.method, methods)}",
        )
