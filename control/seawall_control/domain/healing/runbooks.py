"""A runbook: when so much of a condition lasts so long, do this, and look whether it helped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from math import isfinite
from typing import Final

from seawall_control.domain.events import Json
from seawall_control.domain.healing.actions import Action, checked
from seawall_control.domain.healing.conditions import Condition, Observation

MAX_RUNBOOKS: Final = 200
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Mode(StrEnum):
    """How much a runbook may do by itself."""

    OFF = "off"
    DRY_RUN = "dry_run"
    """Says what it would do."""
    APPROVE = "approve"
    """Asks first."""
    AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """One rule of healing. Times are in seconds."""

    name: str
    condition: Condition
    threshold: float
    """The condition holds while its measure is at least this."""
    action: Action
    parameters: Mapping[str, Json] = field(default_factory=dict)
    subject: str = "*"
    """Which subjects: a pattern with `*` and `?`."""
    lasting_s: float = 60.0
    """How long the condition must hold without a break."""
    mode: Mode = Mode.DRY_RUN
    cooldown_s: float = 900.0
    """Rest after an end, for each subject."""
    max_per_hour: int = 4
    """Over all subjects, so that a rule that misfires stops."""
    verify_after_s: float = 120.0
    """When it is judged whether the action helped."""
    approval_ttl_s: float = 3600.0
    """How long a proposal waits for an answer."""
    description: str = ""

    def matches(self, one: Observation) -> bool:
        """Whether an observation is this runbook's business."""
        return one.condition is self.condition and fnmatchcase(one.subject, self.subject)

    def holds(self, one: Observation) -> bool:
        """Whether the condition holds."""
        return one.value >= self.threshold


def problems(runbook: Runbook) -> tuple[tuple[str, str], ...]:
    """Return every field that cannot be used, and why."""
    found: list[tuple[str, str]] = []
    if not _NAME.fullmatch(runbook.name):
        found.append(("name", "must be 1 to 63 of a-z, 0-9 and -, not starting or ending with -"))
    if not 1 <= len(runbook.subject) <= 200:
        found.append(("subject", "must have 1 to 200 characters; `*` means all"))
    for name, least, most in (
        ("threshold", 0.0, 1e12),
        ("lasting_s", 0.0, 86400.0),
        ("cooldown_s", 10.0, 7 * 86400.0),
        ("verify_after_s", 1.0, 86400.0),
        ("approval_ttl_s", 60.0, 7 * 86400.0),
    ):
        value = float(getattr(runbook, name))
        if not (isfinite(value) and least <= value <= most):
            found.append((name, f"must be {least:.12g} to {most:.12g}, not {value:.12g}"))
    if not 1 <= runbook.max_per_hour <= 100:
        found.append(("max_per_hour", f"must be 1 to 100, not {runbook.max_per_hour}"))
    try:
        checked(runbook.action, runbook.parameters)
    except ValueError as error:
        found.append(("parameters", str(error)))
    return tuple(found)


def plain(runbook: Runbook) -> dict[str, Json]:
    """Return the runbook as JSON."""
    return {
        "name": runbook.name,
        "condition": runbook.condition.value,
        "threshold": runbook.threshold,
        "action": runbook.action.value,
        "parameters": dict(runbook.parameters),
        "subject": runbook.subject,
        "lasting_s": runbook.lasting_s,
        "mode": runbook.mode.value,
        "cooldown_s": runbook.cooldown_s,
        "max_per_hour": runbook.max_per_hour,
        "verify_after_s": runbook.verify_after_s,
        "approval_ttl_s": runbook.approval_ttl_s,
        "description": runbook.description,
    }


def of_plain(value: Mapping[str, Json]) -> Runbook:
    """Return the runbook of `plain`. Raise ValueError for what is none."""
    parameters = value.get("parameters", {})
    if not isinstance(parameters, Mapping):
        raise ValueError("parameters must be an object")  # noqa: TRY004 - a value of a document, not a type
    return Runbook(
        name=str(value["name"]),
        condition=Condition(str(value["condition"])),
        threshold=_number(value["threshold"]),
        action=Action(str(value["action"])),
        parameters=parameters,
        subject=str(value.get("subject", "*")),
        lasting_s=_number(value.get("lasting_s", 60.0)),
        mode=Mode(str(value.get("mode", "dry_run"))),
        cooldown_s=_number(value.get("cooldown_s", 900.0)),
        max_per_hour=int(_number(value.get("max_per_hour", 4))),
        verify_after_s=_number(value.get("verify_after_s", 120.0)),
        approval_ttl_s=_number(value.get("approval_ttl_s", 3600.0)),
        description=str(value.get("description", "")),
    )


def _number(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{value!r} is no number")  # noqa: TRY004 - a value of a document, not a type
    return float(value)


BUILT_IN: Final = (
    Runbook(
        name="disk-nearly-full",
        condition=Condition.DISK,
        threshold=0.9,
        action=Action.CLEAN_DISK,
        parameters={"free_share": 0.2},
        lasting_s=0.0,
        mode=Mode.AUTO,
        verify_after_s=30.0,
        description="Above 90 % of the disk: delete resolved events, the oldest first, until 20 % are free.",
    ),
    Runbook(
        name="record-large",
        condition=Condition.STORE_SIZE,
        threshold=4096.0,
        action=Action.ARCHIVE_EVENTS,
        parameters={"older_than_days": 14.0},
        lasting_s=0.0,
        mode=Mode.APPROVE,
        cooldown_s=86400.0,
        verify_after_s=60.0,
        approval_ttl_s=7 * 86400.0,
        description="The store is larger than 4 GiB: move resolved events older than 14 days to files.",
    ),
    Runbook(
        name="errors-after-a-policy",
        condition=Condition.ERROR_RATE,
        threshold=0.5,
        action=Action.ROLL_BACK_POLICY,
        parameters={"max_age_s": 900.0},
        lasting_s=30.0,
        mode=Mode.APPROVE,
        description="Half of a route's calls fail within a quarter of an hour of a new revision: go back.",
    ),
    Runbook(
        name="tune-routes",
        condition=Condition.TUNABLE,
        threshold=0.02,
        action=Action.TUNE,
        lasting_s=600.0,
        mode=Mode.OFF,
        cooldown_s=6 * 3600.0,
        max_per_hour=2,
        verify_after_s=600.0,
        approval_ttl_s=86400.0,
        description="A change could help 2 % of a route's calls: try it by stages, keep it if it does.",
    ),
    Runbook(
        name="upstream-unresponsive",
        condition=Condition.UPSTREAM_UNRESPONSIVE,
        threshold=0.9,
        action=Action.HOLD_BREAKER_OPEN,
        parameters={"duration_s": 60.0},
        mode=Mode.DRY_RUN,
        description="Nearly nothing answers for a minute: hold the breaker open for another.",
    ),
    Runbook(
        name="store-unsound",
        condition=Condition.STORE_INTEGRITY,
        threshold=1.0,
        action=Action.CHECK_STORE,
        lasting_s=0.0,
        mode=Mode.AUTO,
        description="The store's check found something: check all of it and say what.",
    ),
    Runbook(
        name="memory-grows",
        condition=Condition.MEMORY_GROWTH,
        threshold=0.5,
        action=Action.FREE_MEMORY,
        lasting_s=600.0,
        mode=Mode.AUTO,
        description="The process grows by half its size an hour: drop caches.",
    ),
)
"""Runbooks that are there from the start; a runbook of the same name replaces one. Whatever refuses callers
or changes a policy asks first, or only says what it would do.
"""
