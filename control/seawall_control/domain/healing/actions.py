"""The catalogue: what can be done, with which parameters, and whether it can be taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from seawall_control.domain.events import Json


class Action(StrEnum):
    """Something that may be done. The words are stable: runbooks name them."""

    HOLD_BREAKER_OPEN = "hold_breaker_open"
    RESET_BREAKER = "reset_breaker"
    DRAIN_ENDPOINT = "drain_endpoint"
    ARCHIVE_GROUP = "archive_group"
    ARCHIVE_EVENTS = "archive_events"
    ROLL_BACK_POLICY = "roll_back_policy"
    APPLY_REVISION = "apply_revision"
    TUNE = "tune"
    CLEAN_DISK = "clean_disk"
    FREE_MEMORY = "free_memory"
    CHECK_STORE = "check_store"
    COMMAND = "command"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an action."""

    name: str
    kind: type
    help: str
    default: Json = None
    """None: it must be given."""
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Spec:
    """One action."""

    action: Action
    help: str
    parameters: tuple[Parameter, ...] = ()
    can_undo: bool = False
    """Whether it is taken back when it did not help."""
    judges: bool = False
    """Whether it says itself if it helped, by what it promised, instead of by the condition."""


_DURATION: Final = Parameter("duration_s", float, "for how long, in seconds", 300.0, 1.0, 86400.0)
_FREE_SHARE: Final = Parameter(
    "free_share", float, "share of the disk to reach as free, 0 to 1", 0.2, 0.0, 0.9
)

CATALOGUE: Final[Mapping[Action, Spec]] = {
    spec.action: spec
    for spec in (
        Spec(
            Action.HOLD_BREAKER_OPEN,
            "hold the breaker of the route open on every proxy; callers get the fallback at once",
            (_DURATION,),
            can_undo=True,
        ),
        Spec(Action.RESET_BREAKER, "close the breaker of the route on every proxy and forget its window"),
        Spec(
            Action.DRAIN_ENDPOINT,
            "let no proxy choose the endpoint for a time, also those that connect meanwhile",
            (_DURATION,),
            can_undo=True,
        ),
        Spec(
            Action.ARCHIVE_GROUP,
            "mute the group of errors until it escalates, so that a known problem does not hide others",
            can_undo=True,
        ),
        Spec(
            Action.ARCHIVE_EVENTS,
            "move old resolved events to compressed files, which `seawall archive` lists and reads",
            (
                Parameter(
                    "older_than_days", float, "age from which they are moved, in days", 14.0, 0.0, 36500.0
                ),
            ),
        ),
        Spec(
            Action.ROLL_BACK_POLICY,
            "make the revision before the newest one the newest again, if that is younger than max_age_s",
            (
                Parameter("policy_set", str, "policy set", "default"),
                Parameter(
                    "max_age_s", float, "age of the newest revision up to which it is blamed", 3600.0, 1.0
                ),
            ),
            can_undo=True,
        ),
        Spec(
            Action.APPLY_REVISION,
            "put a revision in effect that was prepared for the case, such as one with tighter limits",
            (
                Parameter("policy_set", str, "policy set", "default"),
                Parameter("revision", float, "number of the revision", None, 1.0, 1e15),
            ),
            can_undo=True,
        ),
        Spec(
            Action.TUNE,
            "try a recommendation for the route by stages with guards; keep it only if it does as promised",
            (
                Parameter("policy_set", str, "policy set", "default"),
                Parameter(
                    "kinds",
                    str,
                    "kinds of recommendations that may be tried, separated by commas",
                    "fewer-retries,hedge,retry,timeout,wider-limit",
                ),
                Parameter("first_share", float, "share of the proxies that try it first", 0.1, 0.001, 1.0),
                Parameter("bake_s", float, "for how long they do, in seconds", 600.0, 1.0, 86400.0),
                Parameter(
                    "least_gain", float, "share of what it is about that must go away, 0 to 1", 0.1, 0.0, 1.0
                ),
                Parameter(
                    "max_timeout_s", float, "longest timeout that it may set, in seconds", 30.0, 0.001, 3600.0
                ),
                Parameter(
                    "max_in_flight", float, "widest limit that it may set, in calls", 10000.0, 1.0, 1e9
                ),
            ),
            can_undo=True,
            judges=True,
        ),
        Spec(
            Action.CLEAN_DISK,
            "delete resolved events, the oldest and least severe first, until so much of the disk is free",
            (_FREE_SHARE,),
        ),
        Spec(Action.FREE_MEMORY, "drop caches and give memory back to the system"),
        Spec(Action.CHECK_STORE, "check the store's file and report what is found"),
        Spec(
            Action.COMMAND,
            "run a command of the list that the control plane was started with (--hook NAME=COMMAND)",
            (
                Parameter("hook", str, "name of the hook"),
                Parameter("timeout_s", float, "time after which it is killed, in seconds", 30.0, 0.1, 600.0),
            ),
        ),
        Spec(
            Action.WEBHOOK,
            "send a signed message to an alert channel of the kind webhook, to ask for a restart or for more",
            (
                Parameter("channel", str, "name of the channel"),
                Parameter("what", str, "what is asked for", "restart"),
            ),
        ),
    )
}


def checked(action: Action, given: Mapping[str, Json]) -> dict[str, Json]:
    """Return all parameters of an action. Raise ValueError that names what is wrong and what is allowed."""
    spec = CATALOGUE[action]
    known = {parameter.name: parameter for parameter in spec.parameters}
    for name in given:
        if name not in known:
            raise ValueError(
                f"{action} has no parameter {name!r}; it has {', '.join(known) if known else 'none'}"
            )
    found: dict[str, Json] = {}
    for parameter in spec.parameters:
        value = given.get(parameter.name, parameter.default)
        if value is None:
            raise ValueError(f"{action} needs the parameter {parameter.name!r}: {parameter.help}")
        found[parameter.name] = _value(parameter, value)
    return found


def _value(parameter: Parameter, value: Json) -> Json:
    if parameter.kind is not float:
        if not isinstance(value, str):
            raise ValueError(f"{parameter.name} must be a text")
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{parameter.name} must be a number")  # noqa: TRY004 - a value, not a type
    number = float(value)
    # Written so that NaN is refused too.
    if parameter.least is not None and not number >= parameter.least:
        raise ValueError(f"{parameter.name} must be at least {parameter.least:.12g}, not {number:.12g}")
    if parameter.most is not None and not number <= parameter.most:
        raise ValueError(f"{parameter.name} must be at most {parameter.most:.12g}, not {number:.12g}")
    if number - number != 0:
        raise ValueError(f"{parameter.name} must be finite")
    return number
