"""Reading what a document says about the process itself: how many workers, and how it protects itself."""

from __future__ import annotations

import re
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy import overload
from seawall_policy.compile import codes
from seawall_policy.compile.report import Report
from seawall_policy.compile.scope import Scope
from seawall_policy.overload import OverloadOptions
from seawall_policy.sizes import parse_size
from seawall_policy.suggest import quoted

AUTO: Final = "auto"
MAX_WORKERS: Final = 64
MIN_MEMORY_BYTES: Final = 16 << 20

_WORKERS: Final = re.compile(r"[1-9][0-9]?", re.ASCII)


def workers_mistake(text: str) -> str:
    """Return what is wrong with a number of workers; empty when nothing is."""
    if text in ("", AUTO) or (_WORKERS.fullmatch(text) and int(text) <= MAX_WORKERS):
        return ""
    return f"is no number of workers; write a whole number from 1 to {MAX_WORKERS}, or {AUTO}"


def worker_count(text: str, cores: int) -> int:
    """Return how many workers a setting stands for on a machine with `cores`; raise ValueError for one with
    a mistake.
    """
    mistake = workers_mistake(text)
    if mistake:
        raise ValueError(f"{quoted(text)} {mistake}")
    if text == AUTO:
        return min(max(cores, 1), MAX_WORKERS)
    return int(text or "1")


def check_process(top: Scope, document: policy_pb2.PolicyDocument) -> None:
    """Report the mistakes of `workers` and `overload`."""
    mistake = workers_mistake(document.workers)
    if mistake:
        (top / "workers").error(codes.OUT_OF_RANGE, f"{quoted(document.workers)} {mistake}")
    read_overload(top / "overload", document)


def overload_options(document: policy_pb2.PolicyDocument) -> OverloadOptions:
    """Return the thresholds of a document that has no mistakes."""
    return read_overload(Scope(Report(), ""), document)


def read_overload(scope: Scope, document: policy_pb2.PolicyDocument) -> OverloadOptions:
    """Return the thresholds; what is absent has its default."""
    given = document.overload
    shed = _share(scope / "memory_shed", given, "memory_shed", overload.DEFAULT_MEMORY_SHED)
    refuse = _share(scope / "memory_refuse", given, "memory_refuse", overload.DEFAULT_MEMORY_REFUSE)
    if shed > refuse:
        (scope / "memory_shed").error(
            codes.OUT_OF_RANGE,
            f"{shed * 100:g}% is above memory_refuse ({refuse * 100:g}%): idle connections go before calls",
        )
    return OverloadOptions(
        _memory(scope / "memory_limit", given.memory_limit),
        shed,
        refuse,
        _share(scope / "descriptors", given, "descriptors", overload.DEFAULT_DESCRIPTORS),
        _lag(scope / "event_loop_lag", given),
    )


def _share(scope: Scope, given: policy_pb2.Overload, name: str, default: float) -> float:
    value: float | None = getattr(given, name) if given.HasField(name) else None
    return scope.number(value, 1, 100, default * 100.0, unit="%") / 100.0


def _lag(scope: Scope, given: policy_pb2.Overload) -> float:
    value = given.event_loop_lag if given.HasField("event_loop_lag") else None
    lag_s = scope.duration(value, "0s", "5m", overload.DEFAULT_LAG_S)
    if not 0.0 <= lag_s <= 60.0:
        scope.error(codes.OUT_OF_RANGE, f"{lag_s:g}s is out of range; allowed is 0s to 1m")
    return lag_s


def _memory(scope: Scope, text: str) -> int:
    if text == "":
        return overload.DETECT
    if text == "off":
        return overload.OFF
    try:
        size = parse_size(text)
    except ValueError as error:
        scope.error(codes.BAD_NUMBER, f"{quoted(text)} {error}, or `off`")
        return overload.DETECT
    if size < MIN_MEMORY_BYTES:
        scope.error(codes.OUT_OF_RANGE, f"{quoted(text)} is less than 16MiB, in which no proxy runs")
        return overload.DETECT
    return size
