"""A policy set that extends another, at the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.cli.conftest import Run

pytestmark = pytest.mark.integration

ORG = """\
version: v1
clusters: [{name: c, endpoints: ["127.0.0.1:1"]}]
policies:
  standard: {timeout: 2s, breaker: {min_calls: 7}}
"""
TEAM = """\
version: v1
extends: org
policies:
  standard: {timeout: 9s}
routes:
  - {name: r, match: {service: a.B}, cluster: c, policy: standard}
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """The files of both sets."""
    org, team = tmp_path / "org.yaml", tmp_path / "team.yaml"
    org.write_text(ORG)
    team.write_text(TEAM)
    return str(org), str(team)


def test_a_file_is_linted_with_its_base(run: Run, files: tuple[str, str], tmp_path: Path) -> None:
    """Alone it is not whole; with its base it is, and mistakes are where they stand in the file."""
    org, team = files
    alone = run("lint", team)
    assert (alone.code, "SW0159" in alone.out) == (1, True)
    assert run("lint", team, "--base", org).code == 0
    Path(team).write_text(TEAM.replace("cluster: c", "cluster: nowhere"))
    wrong = run("lint", team, "--base", org)
    assert (wrong.code, f"{team}:6:" in wrong.out) == (1, True)
    below = tmp_path / "below.yaml"
    below.write_text("version: v1\nextends: team\npolicies: {standard: {timeout: 1s}}\n")
    Path(team).write_text(TEAM)
    assert run("lint", str(below), "--base", team, "--base", org).code == 0
    assert run("lint", team, "--base", str(tmp_path / "none.yaml")).code == 2


def test_from_a_base_to_those_who_extend_it(run: Run, files: tuple[str, str]) -> None:
    """Applied, described, compared, printed; a change of the base says who follows, or whom it breaks."""
    org, team = files
    assert run("apply", team, "--policy-set", "team").code != 0, "there is no base yet"
    assert run("apply", org, "--policy-set", "org").code == 0
    assert run("diff", team, "--policy-set", "team").code == 1
    assert run("apply", team, "--policy-set", "team").code == 0
    assert run("diff", team, "--policy-set", "team").code == 0

    said = run("describe", "policy", "standard", "--policy-set", "team")
    assert said.code == 0, said.err
    lines = [line.split() for line in said.out.splitlines()]
    assert ["Extends:", "org", "1"] in lines
    assert ["policies.standard.timeout", '"9s"', "team", "1"] in lines
    assert ["policies.standard.breaker.min_calls", "7", "org", "1"] in lines
    shape = run("describe", "policy", "--file", team, "--policy-set", "team", "-o", "json").json()
    assert shape["layers"] == [{"policy_set": "team", "revision": 0}, {"policy_set": "org", "revision": 1}]
    assert {one["field"] for one in shape["settings"]} >= {"routes[r].cluster", "clusters[c].name"}

    assert "extends: org" in run("get", "revision", "--policy-set", "team").out
    whole = run("get", "revision", "--whole", "--policy-set", "team").out
    assert ("extends" in whole, "min_calls: 7" in whole) == (False, True)

    Path(org).write_text(ORG.replace("min_calls: 7", "min_calls: 8"))
    would = run("apply", "--dry-run", org, "--policy-set", "org")
    assert "Policy set team would follow with revision 2 (0 connected proxies)" in would.err
    changed = run("apply", org, "--policy-set", "org", "-o", "json")
    assert [one["revision"]["name"] for one in changed.json()["followers"]] == ["policySets/team/revisions/2"]
    assert changed.json()["followers"][0]["revision"]["base_revision"] == 2

    Path(org).write_text(ORG.replace("clusters: [{name: c,", "clusters: [{name: other,"))
    broken = run("apply", org, "--policy-set", "org")
    assert broken.code != 0
    assert "would break what extends org: team" in broken.err
    assert "team: routes[0].cluster" in broken.err
