"""Rules that hold for any document."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.v1 import policy_pb2
from seawall_policy.compile import BOOTSTRAP_FIELDS, compile_document, digest
from seawall_policy.compile.friendly import Plain, to_plain
from seawall_policy.compile.inherit import resolve
from seawall_policy.compile.report import Report
from seawall_policy.diff import changes
from seawall_proxy.config import lint_loaded, load_text, render_document, render_violations
from tests.property.config.messages import documents, fill

pytestmark = pytest.mark.slow


def stripped(document: policy_pb2.PolicyDocument) -> policy_pb2.PolicyDocument:
    """Return a copy without the bootstrap parts."""
    copy = policy_pb2.PolicyDocument()
    copy.CopyFrom(document)
    for name in BOOTSTRAP_FIELDS:
        copy.ClearField(name)
    return copy


@settings(max_examples=80, deadline=None)
@given(document=documents())
def test_compiling_never_raises(document: policy_pb2.PolicyDocument) -> None:
    """Any document gives a snapshot or mistakes, never both and never neither; codes and messages are
    there.
    """
    result = compile_document(document)
    mistakes = [v for v in result.violations if not v.warning]
    assert (result.snapshot is None) == bool(mistakes)
    assert len(set(result.violations)) == len(result.violations)
    for violation in result.violations:
        assert violation.code.startswith("SW0")
        assert violation.message


@settings(max_examples=80, deadline=None)
@given(document=documents())
def test_files_say_what_the_document_says(document: policy_pb2.PolicyDocument) -> None:
    """Written as a file and read again, a document is the same, and has the same mistakes. A warning that
    only follows from a mistake may be held back.
    """
    loaded = load_text(render_document(document), env={"A": "other"})
    assert loaded.violations == ()
    assert loaded.document == document
    report = lint_loaded(loaded)
    found = {f.violation for f in report.findings}
    said = set(compile_document(document).violations)
    assert {one for one in found if not one.warning} == {one for one in said if not one.warning}
    assert found <= said
    assert found == said or any(not one.warning for one in said)
    assert all(f.position is not None for f in report.findings)
    render_violations(report)


@settings(max_examples=80, deadline=None)
@given(before=documents(), after=documents())
def test_differences_are_found_and_nothing_else(
    before: policy_pb2.PolicyDocument, after: policy_pb2.PolicyDocument
) -> None:
    """There are no changes exactly when the documents are equal but for the bootstrap parts, as the digest
    says, too.
    """
    assert changes(before, before) == []
    same = stripped(before) == stripped(after)
    assert (changes(before, after) == []) == same
    assert (digest(before) == digest(after)) == same
    there, back = changes(before, after), changes(after, before)
    assert {(c.field, c.before, c.after) for c in there} == {(c.field, c.after, c.before) for c in back}


def overlaid(base: Plain, top: Plain) -> Plain:
    """Lay one plain value over another: mappings by key, all else as a whole."""
    if isinstance(base, dict) and isinstance(top, dict):
        merged = dict(base)
        for key, value in top.items():
            merged[key] = overlaid(base[key], value) if key in base and key != "json" else value
        return merged
    return top


def without_alternative(base: Plain, top: Plain) -> Plain:
    """Leave out what `top` says in another way: a hedge waits for a delay or for a percentile."""
    hedges = [plain.get("hedge") if isinstance(plain, dict) else None for plain in (base, top)]
    if not (isinstance(base, dict) and isinstance(hedges[0], dict) and isinstance(hedges[1], dict)):
        return base
    gone = "percentile" if "delay" in hedges[1] else "delay" if "percentile" in hedges[1] else ""
    return {**base, "hedge": {key: value for key, value in hedges[0].items() if key != gone}}


@settings(max_examples=40, deadline=None)
@given(data=st.data(), length=st.integers(1, 3))
def test_inheritance_is_overlaying_mappings(data: st.DataObject, length: int) -> None:
    """A line of policies merges like the mappings of the file, last one on top."""
    own: dict[str, policy_pb2.Policy] = {}
    expected: Plain = {}
    for index in range(length):
        policy = policy_pb2.Policy()
        fill(policy, data)
        policy.extends = f"p{index - 1}" if index else ""
        own[f"p{index}"] = policy
        plain = to_plain(policy)
        assert isinstance(plain, dict)
        plain.pop("extends", None)
        expected = overlaid(without_alternative(expected, plain), plain)
    report = Report()
    resolved = resolve(own, report)
    assert report.violations() == ()
    assert to_plain(resolved[f"p{length - 1}"].merged) == expected
    assert resolved[f"p{length - 1}"].chain == tuple(f"p{i}" for i in range(length - 1, -1, -1))
