"""What several workers say, as one proxy says it: scrape pages, statistics, status pages.

Rules: counters and histograms are added, also those of workers that have died, as they were last known, so
that no counter ever falls. Gauges are added, except where adding makes no sense (`LARGEST`): a revision, a
level, a limit. Of texts that differ the worst is shown where there is an order (`WORST`), else the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from seawall.v1 import fleet_pb2, stats_pb2
from seawall_proxy.runtime.frames import Json
from seawall_proxy.runtime.workers.merge_breakers import LARGEST_OF_BREAKER, add_history, recompute
from seawall_proxy.telemetry import names

LARGEST: Final[frozenset[str]] = frozenset(
    metric.name
    for metric in (
        names.POLICY_REVISION,
        names.POLICY_APPLIED,
        names.POLICY_REFUSED,
        names.POLICY_APPLY_SECONDS,
        names.CERTIFICATE_EXPIRY,
        names.CERTIFICATE_RELOADS,
        names.BREAKER_STATE,
        names.BREAKER_OPENED,
        names.DEGRADED,
        names.ENDPOINT_STATE,
        names.ENDPOINT_HEALTH,
        names.ENDPOINT_LATENCY,
        names.ENDPOINT_EJECTED,
        names.PANIC,
        names.OVERLOAD_LEVEL,
        names.MEMORY_USED,
        names.MEMORY_LIMIT,
        names.DESCRIPTORS_USED,
        names.DESCRIPTORS_LIMIT,
        names.EVENT_LOOP_LAG,
    )
)
"""Families of which the largest value counts. A breaker that opens opens in all workers; that is one opening.
"""

_MAX_KEYS: Final = (
    "opened",
    "age_seconds",
    "opened_count",
    "weight",
    "priority",
    "warm",
    "latency_ms",
    "ejected",
    "times",
    "seconds_left",
    "found",
    "left_out",
    "ramp_share",
    "held_seconds",
    "for_seconds",
    "step",
)
WORST: Final[tuple[str, ...]] = (
    "forced_open",
    "open",
    "half_open",
    "ramp",
    "metrics_only",
    "disabled",
    "closed",
    "ready",
    "connecting",
    "backoff",
    "idle",
    "ejected",
    "trial",
    "in",
    "unhealthy",
    "unknown",
    "healthy",
)
"""States of breakers, the worst first, and of endpoints, the best first: one worker's connection is one.
Health, the worst first.
"""


class _Family:
    def __init__(self, head: list[str], kind: str) -> None:
        self.head = head
        self.kind = kind
        self.samples: dict[str, float] = {}


def merge_metrics(pages: Iterable[str], *, counters_only: bool = False) -> str:
    """Return one scrape page from several; with `counters_only` gauges are left out."""
    families: dict[str, _Family] = {}
    for page in pages:
        _read(page, families)
    lines: list[str] = []
    for family in families.values():
        if counters_only and family.kind == "gauge":
            continue
        lines.extend(family.head)
        lines.extend(f"{key} {_number(value)}" for key, value in family.samples.items())
    return "\n".join(lines) + "\n" if lines else ""


def _read(page: str, families: dict[str, _Family]) -> None:
    family: _Family | None = None
    help_line = ""
    largest = False
    for line in page.splitlines():
        if line.startswith("# HELP "):
            help_line = line
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ", 3)
            family = families.setdefault(name, _Family([help_line, line], kind))
            largest = name in LARGEST
        elif line and family is not None:
            key, _, value = line.rpartition(" ")
            before = family.samples.get(key)
            number = float(value)
            if before is not None:
                number = max(before, number) if largest else before + number
            family.samples[key] = number


def _number(value: float) -> str:
    return repr(int(value)) if value.is_integer() else repr(value)


def merge_stats(
    reports: Sequence[fleet_pb2.StatsReport], *gone: fleet_pb2.StatsReport
) -> fleet_pb2.StatsReport:
    """Return one report from the workers' and from what dead ones have counted."""
    result = fleet_pb2.StatsReport()
    for report in (*gone, *reports):
        _add(result, report)
    for breaker in result.breakers:
        recompute(breaker)
    if reports:
        result.at.CopyFrom(max((report.at for report in reports), key=lambda at: (at.seconds, at.nanos)))
    return result


def counters_of(report: fleet_pb2.StatsReport) -> fleet_pb2.StatsReport:
    """Return what of a report outlives its worker."""
    kept = fleet_pb2.StatsReport()
    kept.CopyFrom(report)
    for name in ("breakers", "endpoints", "connections", "at"):
        kept.ClearField(name)
    for route in kept.routes:
        route.ClearField("in_flight")
    for cluster in kept.clusters:
        cluster.ClearField("ejected")
        cluster.ClearField("endpoints")
    return kept


_LARGEST_OF_CLUSTER: Final = ("ejected", "endpoints")
"""All workers know the same endpoints, and what one ejects the others eject."""
_KEYS: Final = ("route", "name", "cluster", "address", "method")


def _add(into: Message, message: Message) -> None:
    """Add a message's numbers to another's, elements of lists by their names."""
    for field, value in message.ListFields():
        if field.name == "history" and isinstance(into, stats_pb2.BreakerStatus):
            add_history(into, value)
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            counts = getattr(into, field.name)
            for key, number in value.items():
                counts[key] += number
        elif field.is_repeated:
            _add_list(into, field, value)
        elif field.message_type is not None:
            if not into.HasField(field.name):
                getattr(into, field.name).CopyFrom(value)
        elif isinstance(value, str | bytes):
            _worse_text(into, field, value)
        elif field.enum_type is not None:
            if _rank(value) > _rank(getattr(into, field.name)):
                setattr(into, field.name, value)
        elif _is_common(into, field.name):
            setattr(into, field.name, max(getattr(into, field.name), value))
        elif field.name in ("priority", "weight"):
            setattr(into, field.name, value)
        else:
            setattr(into, field.name, getattr(into, field.name) + value)


def _is_common(into: Message, name: str) -> bool:
    """Tell whether a number is one for all workers, so that the largest counts."""
    if isinstance(into, stats_pb2.BreakerStatus):
        return name in LARGEST_OF_BREAKER
    return isinstance(into, stats_pb2.ClusterCounters) and name in _LARGEST_OF_CLUSTER


def _add_list(into: Message, field: FieldDescriptor, value: object) -> None:
    target = getattr(into, field.name)
    if field.message_type is None:
        numbers = cast("Sequence[int]", value)
        target.extend([0] * (len(numbers) - len(target)))
        for index, number in enumerate(numbers):
            target[index] += number
        return
    known = {_key(element): element for element in target}
    for element in cast("Sequence[Message]", value):
        key = _key(element)
        if key not in known:
            known[key] = target.add()
        _add(known[key], element)


def _key(element: Message) -> tuple[str, ...]:
    fields = element.DESCRIPTOR.fields_by_name
    return tuple(str(getattr(element, name)) for name in _KEYS if name in fields)


def _worse_text(into: Message, field: FieldDescriptor, value: str | bytes) -> None:
    before = getattr(into, field.name)
    if not before or (before != value and _place(str(value)) < _place(str(before))):
        setattr(into, field.name, value)


def _place(word: str) -> int:
    return WORST.index(word) if word in WORST else len(WORST)


def _rank(state: int) -> int:
    # CLOSED 1, OPEN 2, HALF_OPEN 3, DISABLED 4, FORCED_OPEN 5, METRICS_ONLY 6, RAMP 7; 0 is unset.
    return {0: -1, 1: 0, 4: 1, 6: 2, 7: 3, 3: 4, 2: 5, 5: 6}.get(state, 0)


def merge_pages(values: Sequence[Json], key: str = "") -> Json:
    """Return one JSON value from several of the same shape."""
    present = [value for value in values if value is not None]
    if not present:
        return None
    first = present[0]
    if isinstance(first, dict):
        dicts = [value for value in present if isinstance(value, dict)]
        names_of = dict.fromkeys(name for value in dicts for name in value)
        return {name: merge_pages([v[name] for v in dicts if name in v], name) for name in names_of}
    if isinstance(first, list):
        return _merge_lists([value for value in present if isinstance(value, list)])
    if isinstance(first, bool):
        return any(bool(value) for value in present)
    if isinstance(first, int | float):
        numbers = [value for value in present if isinstance(value, int | float)]
        return max(numbers) if key in _MAX_KEYS else sum(numbers)
    texts = [str(value) for value in present if value != ""]
    return min(texts, key=_place) if texts else ""


def _merge_lists(lists: list[list[Json]]) -> Json:
    groups: dict[str, list[Json]] = {}
    for number, items in enumerate(lists):
        for index, item in enumerate(items):
            name = item.get("name") or item.get("address") if isinstance(item, dict) else item
            groups.setdefault(str(name) if name is not None else f"{number}/{index}", []).append(item)
    return [merge_pages(group) if isinstance(group[0], dict) else group[0] for group in groups.values()]
