"""Runs of processes, of the control plane and of proxies: how the one before ended, and what is said when the
next begins.

A run that ends in order says so: the control plane in its store, a proxy on its stream. One that did not is
called unclean: killed, out of memory, a machine that went down. Where nobody could have heard it (the control
plane was away itself, or the proxy is of a version that says nothing), how it ended is not known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

from seawall_control.domain.events import MICROS, Json, Severity

PROXY_RESTARTED: Final = "proxy_restarted"
PROXY_STOPPED: Final = "proxy_stopped"
CONTROL_STARTED: Final = "control_plane_started"
CONTROL_STOPPED: Final = "control_plane_stopped"
CONTROL_LOST: Final = "control_plane_lost"
RESTARTS: Final = (PROXY_RESTARTED, CONTROL_STARTED, CONTROL_LOST)
"""Types of the events that tell of a new run, or of one that is missed."""
MAX_REASON: Final = 64


class Ending(StrEnum):
    """How a run ended."""

    NONE = ""
    """It has not, or nobody could have heard of it."""
    CLEAN = "clean"
    UNCLEAN = "unclean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a process. Times are microseconds since the epoch, 0 when not known."""

    id: str
    version: str = ""
    seen_us: int = 0
    """When it was last known to be there."""
    ending: Ending = Ending.NONE
    reason: str = ""
    """Why it ended, such as `SIGTERM`."""
    told: bool = False
    """It is missed, and that was said."""

    def to_text(self) -> str:
        """Return it as it is stored."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def of_text(cls, text: str) -> Run:
        """Read one. Raise ValueError or TypeError for what is none."""
        data = json.loads(text)
        if not isinstance(data, Mapping) or not isinstance(data.get("id"), str):
            raise TypeError("a stored run is an object with an id")
        return cls(
            id=data["id"],
            version=str(data.get("version", "")),
            seen_us=int(data.get("seen_us", 0)),
            ending=Ending(data.get("ending", "")),
            reason=str(data.get("reason", "")),
            told=bool(data.get("told", False)),
        )


@dataclass(frozen=True, slots=True)
class News:
    """What an event about a run says."""

    severity: Severity
    message: str
    details: dict[str, Json]


def _ending_of(before: Run) -> str:
    because = f" ({before.reason})" if before.reason else ""
    if before.ending is Ending.CLEAN:
        return f"it was stopped{because}"
    if before.ending is Ending.NONE:
        return "how the run before ended is not known"
    if because:
        return f"the run before ended by a fault{because}"
    return "the run before ended without a word: killed, out of memory, or its machine went down"


def restarted(who: str, before: Run, after: Run, *, at_us: int) -> News:
    """Return what is said when a run begins: for how long it was away at most, how the run before ended, and
    whether the version is another. An unclean end is MEDIUM, everything else LOW.
    """
    details: dict[str, Json] = {"ending": before.ending.value or "unknown"}
    away = ""
    if before.seen_us:
        downtime_s = max(0.0, round((at_us - before.seen_us) / MICROS, 1))
        details["downtime_s"] = downtime_s
        away = f" after {downtime_s:g} s"
    if before.reason:
        details["reason"] = before.reason
    changed = ""
    if before.version and after.version and before.version != after.version:
        details |= {"version_before": before.version, "version": after.version}
        changed = f"; version {after.version}, before it {before.version}"
    return News(
        Severity.MEDIUM if before.ending is Ending.UNCLEAN else Severity.LOW,
        f"{who} started again{away}: {_ending_of(before)}{changed}",
        details,
    )


def stopped(who: str, run: Run) -> News:
    """Return what is said when a run ends in order."""
    because = f": {run.reason}" if run.reason else ""
    return News(Severity.LOW, f"{who} stopped{because}", {"reason": run.reason} if run.reason else {})


def went_in_order(news: News) -> bool:
    """Tell whether nobody has to deal with it: what stopped said so, and what began follows such a stop."""
    return news.severity is Severity.LOW and news.details.get("ending", "clean") == Ending.CLEAN.value


def lost(who: str, run: Run, *, at_us: int) -> News:
    """Return what is said of a run that has not been heard of for long and did not say that it ends."""
    away_s = max(0.0, round((at_us - run.seen_us) / MICROS, 1))
    return News(
        Severity.MEDIUM,
        f"{who} has not been heard of for {away_s:g} s, and did not say that it stops",
        {"ending": Ending.UNCLEAN.value, "downtime_s": away_s},
    )


def summary_of(error_type: str, details: Mapping[str, Json] | None) -> str:
    """Return what an alert says of such an event beside its type: only words of ours, and versions."""
    if error_type not in RESTARTS or details is None:
        return ""
    found = []
    if details.get("ending") == Ending.UNCLEAN.value:
        found.append("its end was unclean")
    version = details.get("version")
    if isinstance(version, str) and version:
        found.append(f"version {version} instead of {details.get('version_before', '?')}")
    return "".join(f", {part}" for part in found)
