"""Examples and the README's snippets are policies that lint takes, and the shop's stubs are fresh."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from grpc_tools import protoc

from examples.shop.demo import POLICY, with_preview
from seawall_proxy.config import lint_file, lint_text
from tests.kit.processes import ROOT

README = (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("**/*.yaml")), ids=lambda path: path.name)
def test_example_policies_have_neither_mistakes_nor_warnings(path: Path) -> None:
    """An example that warns teaches the wrong thing."""
    assert [finding.violation.message for finding in lint_file(path).findings] == []


def test_the_demonstration_s_second_policy_adds_a_route_and_a_cluster() -> None:
    """What is pushed is the first policy and the preview, and nothing else."""
    before = lint_file(POLICY)
    after = lint_text(with_preview(POLICY.read_text("utf-8")))
    assert [finding.violation.message for finding in after.findings] == []
    assert {route.name for route in after.document.routes} - {
        route.name for route in before.document.routes
    } == {"preview"}
    assert len(after.document.clusters) == len(before.document.clusters) + 1
    assert after.document.policies == before.document.policies


def test_policies_in_the_readme_are_right() -> None:
    """Both the one of the first minute and the one that is explained."""
    blocks = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    blocks += re.findall(r"<<END\n(.*?)END\n", README, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        assert lint_text(block).errors == ()


def test_readme_is_short_and_its_links_lead_somewhere() -> None:
    """At most 150 lines; every relative link is a file or a folder of the tree."""
    assert len(README.splitlines()) <= 150
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_stubs_of_the_shop_are_fresh(tmp_path: Path) -> None:
    """Generating them again changes nothing."""
    arguments = [
        "protoc",
        f"-I{ROOT}",
        *(f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")),
    ]
    assert protoc.main([*arguments, str(ROOT / "examples/shop/shop.proto")]) == 0
    for name in ("shop_pb2.py", "shop_pb2.pyi", "shop_pb2_grpc.py"):
        generated = (tmp_path / "examples" / "shop" / name).read_text("utf-8")
        assert (ROOT / "examples" / "shop" / name).read_text("utf-8") == generated, name
