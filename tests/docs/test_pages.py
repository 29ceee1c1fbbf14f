"""Pages hang together: links lead somewhere, generated parts are fresh, examples work."""

from __future__ import annotations

import ast
import shlex
from pathlib import Path

import click
import pytest

from seawall_policy.compile import codes
from seawall_proxy.config import lint_loaded, load_text, render_violations
from tests.docs.pages import DOCS, ROOT, Block, anchors, blocks, links, pages, script


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.relative_to(DOCS).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    """Every link to a file of the tree finds the file, and the heading if it names one."""
    broken = []
    for target in links(path):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert not broken


def test_every_page_is_reached_from_the_map() -> None:
    """Following links from docs/README.md leads to every page, but for what a benchmark leaves."""
    reached = {DOCS / "README.md"}
    waiting = list(reached)
    while waiting:
        path = waiting.pop()
        for target in links(path):
            file = (path.parent / target.partition("#")[0]).resolve()
            if "://" not in target and file.suffix == ".md" and file.is_file() and file not in reached:
                reached.add(file)
                waiting.append(file)
    written = list(pages())
    assert not [page.relative_to(ROOT).as_posix() for page in written if page not in reached]


def test_generated_parts_are_fresh() -> None:
    """Tables and diagrams are what scripts/gen_docs_tables.py makes of the code, and none is unused."""
    generator = script("gen_docs_tables")
    used = set()
    for path in pages():
        text = path.read_text(encoding="utf-8")
        assert generator.filled(text) == text, f"{path}: run python scripts/gen_docs_tables.py"
        used |= {name for name in generator.REGIONS if f"<!-- generated: {name} -->" in text}
    assert used == set(generator.REGIONS)


def test_the_metrics_page_is_fresh() -> None:
    """docs/reference/metrics.md is what scripts/gen_metrics_reference.py writes."""
    text = (DOCS / "reference" / "metrics.md").read_text(encoding="utf-8")
    assert text == script("gen_metrics_reference").page()


DOCUMENTS = [block for block in blocks("yaml") if block.page != "reference/policy-file.md"]
"""What that page shows is a generated list of the built-in policies, no document."""


@pytest.mark.parametrize("block", DOCUMENTS, ids=lambda block: block.name)
def test_policies_lint(block: Block) -> None:
    """Every policy that a page shows has neither mistakes nor warnings; one that extends another is judged
    with the block before it, which may be without routes then.
    """
    here = [one for one in DOCUMENTS if one.page == block.page]
    before = here[here.index(block) - 1]
    is_base = any("\nextends: " in one.text for one in here[here.index(block) + 1 :])
    base = load_text(before.text, env={}).document if "\nextends: " in block.text else None
    report = lint_loaded(load_text(block.text, path=block.name, env={}), base=base)
    assert report.ok, render_violations(report)
    warnings = [one for one in report.warnings if not (is_base and one.violation.code == codes.NO_ROUTES)]
    assert not warnings, render_violations(report)


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.name)
def test_python_parses(block: Block) -> None:
    """Every Python example is Python, and imports what is there."""
    import importlib

    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            module = importlib.import_module(node.module)
            assert not [name.name for name in node.names if not hasattr(module, name.name)]


def _commands() -> list[tuple[str, str]]:
    """Return every line of a block that calls `seawall`, with its place."""
    found = []
    for block in blocks("", "sh", "text"):
        if block.page == "reference/cli.md":
            continue
        for line in block.text.splitlines():
            words = line.split("#")[0].strip()
            words = words.partition(" 2> ")[0].partition(" || ")[0].partition("; do ")[0]
            start = words.find("seawall ")
            before = words.partition(" ")[0]
            if start == 0 or (start > 0 and (before == "until" or before.startswith("OTEL_"))):
                found.append((block.name, words[start:]))
    return found


@pytest.mark.parametrize(("place", "line"), _commands(), ids=lambda value: value[:40])
def test_commands_exist(place: str, line: str) -> None:
    """Every `seawall` command that a page shows exists, with the options that it gives."""
    from seawall.cli.root import root

    if "$(" in line:
        line = line[: line.index('"$(')] + "ID"
    words = [word for word in shlex.split(line.replace("[", "").replace("]", ""))[1:] if word != "|"]
    command: click.Command = root
    context = click.Context(root, info_name="seawall", help_option_names=["-h", "--help"])
    while isinstance(command, click.Group):
        assert words, f"{place}: {line} names no command"
        inner = command.get_command(context, words[0])
        assert inner is not None, f"{place}: no command {words[0]!r}"
        command, words = inner, words[1:]
        context = click.Context(command, parent=context, info_name=command.name)
    words = words[: words.index("|")] if "|" in words else words
    command.make_parser(context).parse_args(list(words))
