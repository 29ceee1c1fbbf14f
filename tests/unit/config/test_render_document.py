"""A document written as a policy file reads back as the same document."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.struct_pb2 import Value

from seawall.v1 import policy_pb2
from seawall_policy.builtin import builtin_documents
from seawall_proxy.config import load_file, load_text, render_document, render_policies
from tests.unit.compile.samples import shop_descriptors

EXAMPLE = Path(__file__).parents[2] / "data" / "example.yaml"


def read_back(document: policy_pb2.PolicyDocument) -> policy_pb2.PolicyDocument:
    """Write and read a document."""
    loaded = load_text(render_document(document), env={"A": "replaced"})
    assert loaded.violations == ()
    return loaded.document


def test_example_reads_back() -> None:
    """The documentation's file survives."""
    document = load_file(EXAMPLE).document
    assert read_back(document) == document


def test_friendly_words() -> None:
    """Durations, percentages, choices and shorthand are written as people write them."""
    document = load_text("""
clusters: [{name: c, endpoints: ["a:1"], balance: least_request, connect_timeout: 1500ms}]
policies: {p: {breaker: {failure_rate: 12.5}, retry: {codes: [ABORTED], backoff: {multiplier: 2.0}}}}
routes: [{name: r, match: {}, idempotent: false}]
control: "h:1"
""").document
    assert (
        render_document(document)
        == """\
clusters:
  - name: c
    endpoints: ['a:1']
    balance: least_request
    connect_timeout: 1.5s
policies:
  p:
    retry:
      codes: [ABORTED]
      backoff:
        multiplier: 2
    breaker:
      failure_rate: 12.5%
routes:
  - name: r
    match: {}
    idempotent: false
control: h:1
"""
    )


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "on",
        "null",
        "~",
        "",
        " ",
        "1",
        "1e3",
        "01",
        "1:30",
        "0x1f",
        "true",
        ".inf",
        "nan",
        "${env:A}",
        "$${env:A}",
        "${",
        "a: b",
        "# x",
        "- x",
        "'",
        '"',
        "<<",
        "=",
        "\n",
        "a\nb\n",
        "\t",
        "\x00\x1b\x7f",
        "\u0085\u2028",
        "grün 🌊",
        "%",
        "@",
        "x" * 500,
        "*a",
        "&a",
        "!a",
    ],
)
def test_any_text_survives(text: str) -> None:
    """Names, labels and JSON strings come back letter by letter."""
    document = policy_pb2.PolicyDocument()
    document.control.labels[text] = text
    document.clusters.add(name=text).endpoints.add(address=text)
    document.policies[text].fallback.add(when=[text]).static.json.struct_value.fields[
        text
    ].string_value = text
    back = read_back(document)
    if text == "":
        # Empty text is not set: proto3 cannot tell the two apart.
        assert back.control.labels == {"": ""}
    assert back == document


@pytest.mark.parametrize("number", [0.0, -0.0, 1.0, 0.1, 1e300, 5e-324, 2.0**53, -(2.0**53), 123456789.125])
def test_any_number_survives(number: float) -> None:
    """Numbers come back exactly."""
    document = policy_pb2.PolicyDocument()
    document.policies["p"].breaker.failure_rate = number
    document.policies["p"].breaker.open_multiplier = number
    document.policies["p"].fallback.add().static.json.CopyFrom(Value(number_value=number))
    assert read_back(document) == document


def test_presence_survives() -> None:
    """Empty messages, explicit zeros and null values are not lost."""
    document = policy_pb2.PolicyDocument()
    document.policies["p"].retry.SetInParent()
    document.policies["p"].breaker.consecutive = 0
    document.policies["p"].timeout.SetInParent()
    document.policies["p"].fallback.add().static.json.null_value = 0  # type: ignore[assignment]
    document.policies["q"].SetInParent()
    document.admin.SetInParent()
    document.clusters.add()
    assert read_back(document) == document


def test_descriptors_survive() -> None:
    """Bytes travel as base64."""
    document = policy_pb2.PolicyDocument(descriptor_set=shop_descriptors())
    assert read_back(document) == document


def test_builtin_policies_can_be_shown() -> None:
    """What is shown can be pasted into a file under another name."""
    shown = render_policies(builtin_documents())
    loaded = load_text(shown)
    assert loaded.violations == ()
    assert dict(loaded.document.policies) == builtin_documents()
