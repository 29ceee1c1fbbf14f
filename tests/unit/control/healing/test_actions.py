"""Every action of the catalogue has hands, and they agree with what the catalogue says."""

from typing import cast

import pytest

from seawall_control.domain.healing.actions import CATALOGUE, Action
from seawall_control.services.healing.actions.base import Handler, Reach
from seawall_control.services.healing.actuators import TABLE

NOTHING = cast("Reach", None)
"""Making the hands lays them on nothing."""


def test_every_action_has_hands() -> None:
    """The table and the catalogue name the same actions."""
    assert TABLE.keys() == CATALOGUE.keys() == set(Action)


@pytest.mark.parametrize("action", Action)
def test_no_action_lacks_a_part(action: Action) -> None:
    """A class with a part missing cannot be made, and the control plane would not start."""
    hands = TABLE[action](NOTHING)
    for part in ("preview", "do_noting", "judge", "undo"):
        assert callable(getattr(hands, part))


@pytest.mark.parametrize("action", Action)
def test_what_judges_itself_has_a_judgement_of_its_own(action: Action) -> None:
    """And what is judged by what is observed has none."""
    judges = type(TABLE[action](NOTHING)).judge is not Handler.judge
    assert judges is CATALOGUE[action].judges


@pytest.mark.parametrize("action", Action)
def test_what_can_be_taken_back_has_a_way_back_of_its_own(action: Action) -> None:
    """What can only be refused is not promised."""
    undoes = type(TABLE[action](NOTHING)).undo is not Handler.undo
    assert undoes or not CATALOGUE[action].can_undo
