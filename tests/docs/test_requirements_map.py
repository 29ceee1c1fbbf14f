"""requirements-map.md: every number of the five documents is on it, every test, path, RPC and command that it
names exists, and a row says either what does it or *not yet*.
"""

from __future__ import annotations

import re

import click
import pytest

from seawall.cli.root import root
from seawall_control.api.http import routes
from tests.docs.pages import ROOT, read
from tests.unit.control.test_roles import methods

PAGE = "reference/requirements-map.md"
ASKED = {"0": 28, "F0.": 11, "1": 16, "F1.": 7, "2": 22, "F2.": 4, "3": 19, "F3.": 5, "4": 25, "F4.": 5}
"""How many numbers each document has, and how many wishes for later."""


def rows() -> list[list[str]]:
    """Return the cells of every row."""
    lines = [line for line in read(PAGE).splitlines() if re.match(r"\| F?\d", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def numbers_in(text: str) -> set[str]:
    """Return the numbers that a text names: one by one, or as `2.1-2.3` and `0.3 to 0.5`."""
    found = set()
    for first, last in re.findall(r"\b(F?\d\.\d+)(?:(?:-| to )(F?\d\.\d+))?\b", text):
        document, _, begin = first.rpartition(".")
        end = last.rpartition(".")[2] or begin
        found |= {f"{document}.{number}" for number in range(int(begin), int(end) + 1)}
    return found


def test_every_number_is_there() -> None:
    """What was asked for is either a row or named as the proxies'; nothing else is."""
    head = read(PAGE).partition("\n## ")[0]
    asked = {
        f"{document.rstrip('.')}.{number}"
        for document, count in ASKED.items()
        for number in range(1, count + 1)
    }
    told = {number for row in rows() for number in numbers_in(row[0])}
    of_proxies = numbers_in(head)
    assert told | of_proxies == asked
    assert not told & of_proxies


def test_every_row_is_whole() -> None:
    """Four cells; tests, or a `-` where it is not there yet or another row tells."""
    found = rows()
    assert len(found) > 90
    for number, asked, done, test in found:
        assert number and asked and done, number
        if test == "-":
            assert "not yet" in done or done.startswith("as F"), number
        else:
            assert re.fullmatch(r"`[\w/]+\.py(::\w+)?`(, `[\w/]+\.py(::\w+)?`)*", test), number


def test_every_test_exists() -> None:
    """What a row names is a file, and a test in it."""
    for path, name in re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", read(PAGE)):
        file = ROOT / "tests" / path
        assert file.exists(), path
        assert not name or re.search(rf"def {name}\(", file.read_text(encoding="utf-8")), f"{path}::{name}"


def test_every_path_is_served() -> None:
    """A path that the page names is one of the HTTP API."""
    served = {route.path_format for route in routes(None)}  # type: ignore[arg-type, attr-defined]
    named = {path.partition("?")[0] for path in re.findall(r"`(/[a-z][\w/{}-]*(?:\?[\w=]+)?)`", read(PAGE))}
    assert len(named) > 12
    assert not named - served


def test_every_rpc_is_served() -> None:
    """A name in capitals and small letters is a method, or a service."""
    named = set(re.findall(r"`((?:[A-Z][a-z]+){2,})`", read(PAGE)))
    assert len(named) > 20
    assert not named - {
        name for method in methods() for name in (method.name, method.containing_service.name)
    }


@pytest.mark.parametrize("words", sorted(set(re.findall(r"`(seawall(?: [a-z]+)+)", read(PAGE)))))
def test_every_command_is_one(words: str) -> None:
    """Word by word, as far as commands go."""
    command: click.Command = root
    for word in words.split()[1:]:
        if not isinstance(command, click.Group):
            return
        found = command.get_command(click.Context(command), word)
        assert found is not None, words
        command = found
