"""Values that are made quickly are what they would be otherwise: frozen, complete, told apart."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field, fields

import pytest

from seawall_control.domain.events import AttemptSummary, Event, Severity
from seawall_control.domain.groups import Group
from seawall_control.domain.values import quickly_made


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """As the standard library makes it."""

    a: int
    b: str = "b"
    c: dict[str, int] = field(default_factory=dict)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Quick:
    """The same."""

    a: int
    b: str = "b"
    c: dict[str, int] = field(default_factory=dict)


def test_arguments_and_defaults_are_the_same() -> None:
    """Each value has a default of its own where one is made."""
    for made in (Plain, Quick):
        one, two = made(a=1), made(a=1)
        assert (one.a, one.b, one.c) == (1, "b", {})
        assert one == two and one.c is not two.c
        assert made(a=2, b="x", c={"y": 1}).c == {"y": 1}
        assert repr(one).startswith(made.__name__)
        with pytest.raises(FrozenInstanceError):
            one.a = 3  # type: ignore[misc]


def test_mistakes_are_the_same() -> None:
    """What is missing, unknown or positional is refused with the name of the class."""
    for made in (Plain, Quick):
        for arguments, named in (((), {}), ((1,), {}), ((), {"a": 1, "d": 2})):
            with pytest.raises(TypeError, match="__init__"):
                made(*arguments, **named)  # type: ignore[arg-type]


def test_what_is_made_by_the_thousand_has_all_its_fields() -> None:
    """No field is left without a value."""
    event = Event(id="i", timestamp_us=1, severity=Severity.LOW, component="c")
    assert [getattr(event, one.name) for one in fields(Event)][4:] == [one.default for one in fields(Event)][
        4:
    ]
    assert AttemptSummary(number=1) == AttemptSummary(number=1, endpoint="", code="", latency_us=0, reason="")
    assert Group.__init__.__qualname__ == "Group.__init__"
