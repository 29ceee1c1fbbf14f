"""The lists of mutants are alive: each mistake can still be made, and a few are made and noticed.

`make mutants` tries them all.
"""

from __future__ import annotations

import ast

import pytest

from tests.mutants import mutant
from tests.mutants.mutant import ROOT, Mutant, mechanisms, mutants, try_all, workshops

LEAST = 6
TRIED = ("budget", "status", "window", "resilience")
"""Lists whose tests are quick."""


@pytest.mark.parametrize("name", mechanisms())
def test_each_mistake_can_still_be_made(name: str) -> None:
    """Every text occurs exactly once, what is put there instead is another program, every test exists."""
    listed = mutants(name)
    assert len(listed) >= LEAST, f"{name} has {len(listed)} mutants"
    for each in listed:
        source = (ROOT / "proxy" / each.path).read_text(encoding="utf-8")
        tree = ast.dump(ast.parse(each.mutated(source)))
        assert tree != ast.dump(ast.parse(source)), f"{each.name} changes nothing"
        assert each.wrong, f"{each.name} does not say what is wrong"
        for test in each.tests:
            assert (ROOT / test).exists(), f"{each.name}: there is no {test}"


def test_mechanisms_have_names_of_their_own() -> None:
    """A mechanism is listed in one module."""
    names = [mutants(name)[0].mechanism for name in mechanisms()]
    assert len(set(names)) == len(names)


@pytest.mark.slow
def test_mutants_are_killed() -> None:
    """The first mutant of some lists does not survive, and the tests of a list pass without one."""
    with workshops(1) as (workshop,):
        code, output = workshop.run(mutants("budget")[0].tests)
        assert code == 0, output
    chosen = [mutants(name)[0] for name in TRIED]
    for verdict in try_all(chosen):
        assert verdict.fine, f"{verdict.mutant.name} {verdict.mark}: {verdict.mutant.wrong}\n{verdict.output}"


@pytest.mark.slow
def test_a_harmless_mutant_survives() -> None:
    """The runner tells what is noticed from what is not, and from what cannot be imported."""
    listed = mutants("budget")[0]
    path, text = "seawall_policy/budget.py", "SLOTS: Final = 10\n"
    tests = ("tests/unit/policy/test_budget.py",)
    harmless = Mutant("harmless", 1, tests, path, text, "SLOTS: Final = 5 + 5\n", "nothing")
    broken = Mutant("broken", 1, tests, path, text, "SLOTS: Final = nothing\n", "a name that is not there")
    assert [verdict.mark for verdict in try_all((harmless, broken))] == [mutant.SURVIVED, mutant.BROKEN]
    assert listed.mechanism == "budget"
