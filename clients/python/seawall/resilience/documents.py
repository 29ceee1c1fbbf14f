"""Policies by name out of a policy file or document, compiled by the compiler that proxies use.

The document is compiled with its policies and clusters alone: listeners, routes and the control link of a
proxy's file say nothing to a process that calls. What a policy has and a process cannot do is named, never
dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict, ParseError

from seawall.errors import FieldViolation, Invalid
from seawall.v1 import policy_pb2
from seawall_policy import model
from seawall_policy.compile import VERSION, compile_document
from seawall_policy.compile.inherit import resolve
from seawall_policy.compile.report import Report
from seawall_policy.suggest import did_you_mean

_APPLIED: Final = frozenset(
    ("timeout", "per_try_timeout", "retry", "breaker", "fallback", "classify", "limit")
)
_CLUSTER: Final = "in-process"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one fallback entry answers with in a process; nothing where it sends to another cluster."""

    json_text: str = ""
    last_good_s: float = 0.0
    max_entries: int = 1000
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """A compiled policy, and what the compiled form does not tell."""

    policy: model.Policy
    answers: tuple[Answer, ...]
    """One for each of `policy.fallback`."""
    max_in_flight: int
    """0: no limit that a process applies."""
    queue: int
    queue_timeout_s: float
    ignored: tuple[str, ...]


def load(
    name: str,
    *,
    file: Path | None = None,
    document: policy_pb2.PolicyDocument | Mapping[str, object] | None = None,
) -> Loaded:
    """Return a policy of a file, of a document, or a built-in one. Raises Invalid with every mistake."""
    if file is not None and document is not None:
        raise ValueError("policy: give `file` or `document`, not both")
    source = _read(file) if file is not None else _document(document)
    lineages = resolve(source.policies, Report())
    if name not in lineages:
        raise Invalid(f"there is no policy {name!r}.{did_you_mean(name, lineages)}", reason="NO_SUCH_POLICY")
    result = compile_document(_alone(source, name))
    if result.snapshot is None:
        mistakes = tuple(
            FieldViolation(one.field, one.message, one.code) for one in result.violations if not one.warning
        )
        raise Invalid(f"policy {name!r} cannot be used", violations=mistakes)
    merged = lineages[name].merged
    answers, ignored = _answers(merged)
    limit = merged.limit
    static = limit.adaptive in (policy_pb2.LIMIT_KIND_UNSPECIFIED, policy_pb2.LIMIT_KIND_NONE)
    applies = merged.HasField("limit") and static and limit.mode in (0, 1)
    if merged.HasField("limit") and not applies:
        ignored.append("limit")
    if merged.retry.budget.kind == policy_pb2.BUDGET_KIND_CONCURRENCY:
        ignored.append("retry.budget.kind")  # one process sees too little of the calls at work
    ignored += [field.name for field, _ in merged.ListFields() if field.name not in _APPLIED]
    return Loaded(
        policy=result.snapshot.routes[0].policy,
        answers=tuple(answers),
        max_in_flight=(limit.max_in_flight if limit.HasField("max_in_flight") else 1000) if applies else 0,
        queue=limit.queue,
        queue_timeout_s=_seconds(limit.queue_timeout) if limit.HasField("queue_timeout") else 0.1,
        ignored=tuple(ignored),
    )


def _read(path: Path) -> policy_pb2.PolicyDocument:
    """Read a policy file with its friendly spellings, TOML and JSON included."""
    from seawall.client.documents import as_document  # noqa: PLC0415 - brings the reader of files

    return as_document(path)


def _document(
    given: policy_pb2.PolicyDocument | Mapping[str, object] | None,
) -> policy_pb2.PolicyDocument:
    if given is None:
        return policy_pb2.PolicyDocument(version=VERSION)
    if isinstance(given, policy_pb2.PolicyDocument):
        return given
    try:
        return ParseDict(dict(given), policy_pb2.PolicyDocument())
    except ParseError as error:
        raise Invalid(f"not a policy document: {error}") from error


def _alone(source: policy_pb2.PolicyDocument, name: str) -> policy_pb2.PolicyDocument:
    """Return a document with the policies and clusters of `source` and one route that uses this policy."""
    document = policy_pb2.PolicyDocument(version=source.version or VERSION)
    document.clusters.extend(source.clusters)
    for key, policy in source.policies.items():
        document.policies[key].CopyFrom(policy)
    document.clusters.add(name=_CLUSTER).endpoints.add(address="127.0.0.1:1")
    document.routes.add(name=_CLUSTER, cluster=_CLUSTER, policy=name)
    return document


def _answers(merged: policy_pb2.Policy) -> tuple[list[Answer], list[str]]:
    from google.protobuf.json_format import MessageToJson  # noqa: PLC0415 - few policies have fallbacks

    answers: list[Answer] = []
    ignored: list[str] = []
    for index, entry in enumerate(merged.fallback):
        if entry.HasField("static"):
            answers.append(Answer(json_text=MessageToJson(entry.static.json, indent=None)))
        elif entry.HasField("last_good"):
            kept = entry.last_good
            entries = kept.max_entries if kept.HasField("max_entries") else 1000
            answers.append(Answer(last_good_s=_seconds(kept.max_age), max_entries=entries))
        elif entry.empty:
            answers.append(Answer(empty=True))
        else:
            answers.append(Answer())
            ignored.append(f"fallback[{index}].cluster")
        if entry.mode == policy_pb2.MODE_SHADOW:
            ignored.append(f"fallback[{index}].mode")
    return answers, ignored


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9
