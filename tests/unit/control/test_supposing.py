"""When something is supposed instead of being asked for."""

from __future__ import annotations

from seawall_control.domain.sequences import Arrivals
from seawall_control.store.supposing import MAX_WAIT, MOST, Suppositions

ONE, TWO = ("p", "one"), ("p", "two")


def having(*spools: tuple[str, str]) -> Suppositions:
    """Return suppositions that know these spools."""
    found = Suppositions()
    for spool in spools:
        found.wrote(spool, Arrivals(((1, 5),)))
    found.settle(committed=True)
    return found


def asks(found: Suppositions, *, right: bool) -> int:
    """Return how many commits ask before one supposes, and say whether that was right."""
    number = 0
    while found.arrivals([ONE]) is None:
        number += 1
        found.wrote(ONE, Arrivals(((1, 5),)))
        found.settle(committed=True)
    found.suppose()
    found.settle(committed=right)
    return number


def test_spool_is_as_it_was_left() -> None:
    """By what was committed; one that is not known has to be asked for, and the others with it."""
    found = having(ONE)
    assert found.arrivals([ONE]) == {ONE: Arrivals(((1, 5),))}
    assert found.arrivals([ONE, TWO]) is None
    found.wrote(ONE, Arrivals(((1, 9),)))
    assert found.arrivals([ONE]) is None, "within the transaction that writes it nobody knows how it is left"
    found.settle(committed=True)
    assert found.arrivals([ONE]) == {ONE: Arrivals(((1, 9),))}


def test_nothing_is_supposed_after_a_transaction_that_was_not_committed() -> None:
    """Neither what it wrote nor what was known before."""
    found = having(ONE)
    found.wrote(ONE, Arrivals(((1, 9),)))
    found.settle(committed=False)
    assert found.arrivals([ONE]) is None
    assert repr(found) == "<Suppositions of 0 spools, asking 0 of 0 times>"


def test_each_mistake_doubles_the_commits_that_ask() -> None:
    """Up to a bound; each that was right takes one away."""
    found = having(ONE)
    assert asks(found, right=True) == 0
    # One more each time: what was known of the spool went with the transaction.
    assert [asks(found, right=False) for _ in range(5)] == [0, 1, 2, 4, 8]
    assert asks(found, right=True) == 16
    assert [asks(found, right=True) for _ in range(3)] == [0, 0, 0]
    assert asks(found, right=False) == 0
    assert asks(found, right=False) == 2 * (16 - 4)
    for _ in range(8):
        asks(found, right=False)
    assert asks(found, right=False) == MAX_WAIT


def test_spools_that_are_remembered_are_bounded() -> None:
    """The one that sent nothing for the longest time goes first."""
    found = having(*(("p", str(n)) for n in range(MOST)))
    found.wrote(("p", "0"), Arrivals(((1, 6),)))
    found.wrote(ONE, Arrivals(((1, 5),)))
    found.settle(committed=True)
    assert found.arrivals([("p", "0"), ONE]) is not None
    assert found.arrivals([("p", "1")]) is None
