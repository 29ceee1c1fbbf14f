"""Rules that hold for any file, however broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seawall.v1 import policy_pb2
from seawall_proxy.config import LintReport, lint_file, lint_text, render_violations
from seawall_proxy.config.schema import spec_of

SAMPLE = (Path(__file__).parents[2] / "data" / "example.yaml").read_bytes()
SNIPPETS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"-",
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!int ",
    b"|\n",
    b"'",
    b'"',
    b"#",
    b"\t",
    b"\n",
    b"${env:",
    b"${env:A}",
    b"~",
    b"\xff",
    b"\x00",
    b"\xe2\x80\xa8",
    b"\xc2\x85",
    b"? ",
    b"%",
    b"010",
    b".inf",
    b"0x",
    b"---\n",
    b"...\n",
    b"x-y: ",
    b"1:30",
    b"\r",
]
KEYS = sorted(
    {key for d in policy_pb2.DESCRIPTOR.message_types_by_name.values() for key in spec_of(d).fields}
    | {"x-note", "hedge", "timeuot", "", "a.b", "<<"}
)
SCALARS = [
    "1s",
    "any",
    "5",
    "50%",
    "UNAVAILABLE",
    "v1",
    "exponential",
    "a:1",
    "shop",
    "true",
    "",
    "${env:A}",
    "$${",
    "1e400",
    3,
    -1,
    2**70,
    0.5,
    True,
    None,
]
TREES = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=20,
)

pytestmark = pytest.mark.slow


def check(report: LintReport) -> None:
    """A report is sound: places lie in the file, every format can show it, and a good file has a snapshot."""
    lines = report.loaded.text.splitlines()
    for finding in report.findings:
        if finding.position is not None:
            assert 1 <= finding.position.line <= len(lines) + 1
            assert finding.position.column >= 1
            assert finding.position.end_column > finding.position.column
    assert report.ok == (report.snapshot is not None)
    text = render_violations(report, "text")
    assert (text == "") == (not report.findings)
    parsed = json.loads(render_violations(report, "json"))
    assert len(parsed["violations"]) == len(report.findings)
    assert render_violations(report, "github").count("\n") == len(report.findings)


@pytest.fixture(name="file", scope="module")
def make_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file that each example overwrites."""
    return tmp_path_factory.mktemp("config") / "policy.yaml"


@settings(max_examples=150, deadline=None)
@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, len(SAMPLE)), st.integers(0, 40), st.sampled_from(SNIPPETS) | st.binary(max_size=3)
        ),
        min_size=1,
        max_size=4,
    )
)
@example(edits=[(0, len(SAMPLE), b"")])
def test_mutilated_files_give_findings(file: Path, edits: list[tuple[int, int, bytes]]) -> None:
    """Whatever bytes are cut out of a good file or put into it, reading it raises nothing."""
    data = SAMPLE
    for at, length, replacement in edits:
        data = data[:at] + replacement + data[at + length :]
    file.write_bytes(data)
    check(lint_file(file, env={"A": "x"}))


@settings(max_examples=150, deadline=None)
@given(tree=TREES)
def test_any_tree_gives_findings(tree: object) -> None:
    """Settings at the wrong place, of the wrong type, and with the wrong value raise nothing."""
    check(lint_text(json.dumps(tree), env={"A": "x"}))


@settings(max_examples=150, deadline=None)
@given(
    section=st.sampled_from(["clusters", "routes", "listeners"]),
    tree=st.dictionaries(st.sampled_from(KEYS), TREES, max_size=5),
)
def test_any_tree_inside_a_section_gives_findings(section: str, tree: object) -> None:
    """The same further inside, where chance alone seldom leads."""
    check(lint_text(json.dumps({"version": "v1", section: [tree]}), env={"A": "x"}))
    check(
        lint_text(
            json.dumps(
                {
                    "version": "v1",
                    "policies": {"p": tree, "q": {"fallback": [tree], "retry": tree, "breaker": tree}},
                }
            )
        )
    )


@settings(max_examples=80, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_gives_findings(text: str) -> None:
    """No text raises, in YAML or in TOML."""
    check(lint_text(text, path="p.yaml"))
    check(lint_text(text, path="p.toml"))


@settings(max_examples=80, deadline=None)
@given(edits=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 10), st.text(max_size=3)), max_size=3))
def test_mutilated_toml_gives_findings(edits: list[tuple[int, int, str]]) -> None:
    """The same for TOML."""
    text = (
        'version = "v1"\n[[clusters]]\nname = "shop"\nendpoints = ["127.0.0.1:1"]\n'
        '[policies.p]\ntimeout = "1s"\n[policies.p.retry]\nmax_attempts = 3\nbackoff.initial = "5ms"\n'
        '[[policies.p.fallback]]\nwhen = "any"\n'
        'static.json = {a = [1, 2.5, 1979-05-27]}\n[[routes]]\nname = "r"\ncluster = "shop"\npolicy = "p"\n'
    )
    for at, length, replacement in edits:
        text = text[:at] + replacement + text[at + length :]
    check(lint_text(text, path="p.toml"))
