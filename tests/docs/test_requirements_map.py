"""requirements-map.md: every test that it names exists, and a row says either what does it or *not yet*."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT, read

PAGE = "reference/requirements-map.md"


def rows() -> list[list[str]]:
    """Return the cells of every row."""
    lines = [line for line in read(PAGE).splitlines() if re.match(r"\| F?\d", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_row_is_whole() -> None:
    """Four cells; a test, or a `-` where it is not there yet or another row tells."""
    found = rows()
    assert len(found) > 90
    for number, asked, done, test in found:
        assert number and asked and done, number
        if test == "-":
            assert "not yet" in done or done.startswith("as F"), number
        else:
            assert re.fullmatch(r"`[\w/]+\.py(::\w+)?`", test), number


def test_every_test_exists() -> None:
    """What a row names is a file, and a test in it."""
    for path, name in re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", read(PAGE)):
        file = ROOT / "tests" / path
        assert file.exists(), path
        assert not name or re.search(rf"def {name}\(", file.read_text(encoding="utf-8")), f"{path}::{name}"


def test_every_path_is_served() -> None:
    """A path that the page names is one of the HTTP API."""
    from seawall_control.api.http import routes

    served = {route.path_format for route in routes(None)}  # type: ignore[arg-type, attr-defined]
    named = {path.partition("?")[0] for path in re.findall(r"`(/[a-z][\w/{}-]*(?:\?[\w=]+)?)`", read(PAGE))}
    assert len(named) > 12
    assert not named - served
