"""From a file to a revision: diff, apply, rollout, and how proxies answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from seawall.client import Conflict, Invalid, NotFound, Seawall
from seawall.v1 import admin_policies_pb2
from tests.integration.cli.conftest import POLICY, Connect, Run
from tests.kit.processes import Child, wait_until

pytestmark = pytest.mark.integration


def test_apply_makes_a_revision_and_says_what_each_proxy_did(
    run: Run, policy: Path, proxies: Connect
) -> None:
    """Exit 0 when every connected proxy acknowledged; the same file again changes nothing."""
    proxies("p1")
    proxies("p2")
    first = run("apply", str(policy), "-m", "first")
    assert first.code == 0, first.err
    assert "✓ p1: revision 1 in effect" in first.out
    assert "✓ p2: revision 1 in effect" in first.out
    again = run("apply", str(policy), "-o", "json")
    assert (again.code, again.json()["changed"], again.json()["revision"]["revision"]) == (0, False, 1)


def test_apply_fails_when_a_proxy_refuses_and_shows_why(run: Run, policy: Path, proxies: Connect) -> None:
    """A NACK is exit 1 with the reasons; rollout status says the same until it is mended."""
    proxies("good")
    proxies("bad", reasons=("routes[0]: no such thing", "and another"))
    ran = run("apply", str(policy))
    assert ran.code == 1
    assert "× bad: refused revision 1" in ran.out
    assert "routes[0]: no such thing" in ran.out
    status = run("rollout", "status")
    assert status.code == 1
    assert "and another" in status.out
    shape = run("rollout", "status", "-o", "json").json()
    assert {one["proxy"]: one["state"] for one in shape["proxies"]} == {"good": "applied", "bad": "rejected"}
    assert shape["drifted"] == ["bad"]
    assert (shape["applied"], shape["connected"]) == (1, 2)


def test_apply_with_mistakes_sends_nothing(run: Run, policy: Path, seawall: Seawall) -> None:
    """Mistakes come with line and column, exit 1; there is no revision afterwards."""
    policy.write_text(POLICY.replace("cluster: c,", "cluster: nowhere,"))
    ran = run("apply", str(policy))
    assert ran.code == 1
    assert f"{policy}:6:" in ran.err
    with pytest.raises(NotFound):
        seawall.policies.revision()
    assert run("apply", "/nowhere.yaml").code == 2


def test_dry_run_stores_nothing(run: Run, policy: Path, seawall: Seawall) -> None:
    """The answer says what would happen."""
    ran = run("apply", "--dry-run", str(policy))
    assert (ran.code, "Would become" in ran.err) == (0, True)
    with pytest.raises(NotFound):
        seawall.policies.revision()


def test_diff_exit_code_tells_a_difference(run: Run, policy: Path) -> None:
    """0 the same, 1 different, 2 mistakes; two revisions can be compared too."""
    assert run("diff", str(policy)).code == 1
    run("apply", str(policy))
    assert run("diff", str(policy)).code == 0
    policy.write_text(POLICY.replace("timeout: 2s", "timeout: 3s"))
    ran = run("diff", str(policy), "-o", "json")
    assert ran.code == 1
    assert [(c["field"], c["before"], c["after"]) for c in ran.json()["changes"]] == [
        ("policies.careful.timeout", '"2s"', '"3s"')
    ]
    run("apply", str(policy))
    text = run("diff", "--from", "2", "--to", "1")
    assert (text.code, "3s" in text.out) == (1, True)
    policy.write_text("nonsense")
    assert run("diff", str(policy)).code == 2


def test_undo_brings_the_one_before_back(run: Run, policy: Path, proxies: Connect) -> None:
    """A rollback is a new revision with the old content; history says where it came from."""
    proxies("p")
    run("apply", str(policy), "-m", "one")
    policy.write_text(POLICY.replace("timeout: 2s", "timeout: 3s"))
    run("apply", str(policy), "-m", "two")
    assert run("rollout", "undo", "--dry-run").code == 0
    ran = run("rollout", "undo", "-m", "back")
    assert ran.code == 0, ran.err
    assert "✓ p: revision 3 in effect" in ran.out
    history = run("rollout", "history", "-o", "json").json()["revisions"]
    assert [(one["revision"], one["rollback_of"]) for one in history] == [(3, 1), (2, None), (1, None)]
    assert run("get", "revisions", "-o", "json").json()["revisions"] == history
    assert history[0]["hash"] == history[2]["hash"]


def test_undo_of_the_first_revision_is_wrong_usage(run: Run, policy: Path) -> None:
    """There is nothing to go back to."""
    run("apply", str(policy))
    ran = run("rollout", "undo")
    assert (ran.code, "nothing to go back to" in ran.err) == (2, True)


def test_a_revision_comes_back_as_a_file_that_changes_nothing(run: Run, policy: Path, tmp_path: Path) -> None:
    """What `get revision` prints can be edited and applied."""
    run("apply", str(policy))
    printed = tmp_path / "printed.yaml"
    printed.write_text(run("get", "revision").out)
    assert run("diff", str(printed)).code == 0
    assert run("get", "revision", "9").code == 1


def test_policies_and_routes_of_the_newest_revision(run: Run, policy: Path) -> None:
    """Tables for people, JSON for programs; a wrong name lists the right ones."""
    run("apply", str(policy))
    assert "careful" in run("get", "policies").out
    assert run("get", "policy", "careful", "-o", "json").json() == {
        "extends": "builtin/standard",
        "timeout": "2s",
    }
    missing = run("get", "policy", "carful")
    assert (missing.code, "careful" in missing.err) == (1, True)
    (route,) = run("get", "routes", "-o", "json").json()["routes"]
    assert (route["name"], route["service"], route["cluster"], route["policy"]) == (
        "r",
        "a.B",
        "c",
        "careful",
    )


def test_describe_route_puts_everything_together(run: Run, policy: Path) -> None:
    """The policy with what it extends, nearest first."""
    run("apply", str(policy))
    shape = run("describe", "route", "r", "-o", "json").json()
    assert set(shape) == {"route", "revision", "policies", "stats", "breakers", "events"}
    assert list(shape["policies"]) == ["careful", "builtin/standard"]
    text = run("describe", "route", "r").out
    assert "a.B/*" in text
    assert "Policy builtin/standard" in text
    wrong = run("describe", "route", "x")
    assert (wrong.code, "Its routes: r." in wrong.err) == (1, True)


def test_a_revision_that_comes_in_between_is_a_conflict(seawall: Seawall, policy: Path) -> None:
    """The etag of an older revision is refused, and nothing is stored."""
    first = seawall.policies.apply(policy, message="one").revision
    policy.write_text(POLICY.replace("timeout: 2s", "timeout: 3s"))
    seawall.policies.apply(policy, etag=first.hash)
    policy.write_text(POLICY.replace("timeout: 2s", "timeout: 4s"))
    with pytest.raises(Conflict) as caught:
        seawall.policies.apply(policy, etag=first.hash)
    assert caught.value.reason == "ETAG_MISMATCH"
    assert seawall.policies.revision().revision == 2


def test_a_repeated_request_is_done_once(seawall: Seawall, policy: Path) -> None:
    """The same request_id returns the first answer, whatever has happened since."""
    request_id = "6c1b8f3e-0000-4000-8000-000000000001"
    first = seawall.policies.apply(policy, request_id=request_id)
    other = POLICY.replace("timeout: 2s", "timeout: 3s")
    policy.write_text(other)
    seawall.policies.apply(policy)
    policy.write_text(POLICY)
    assert seawall.policies.apply(policy, request_id=request_id).revision == first.revision
    assert seawall.policies.revision().revision == 2


def test_the_server_names_every_violation(seawall: Seawall) -> None:
    """A document that skipped the local check is refused with all its mistakes."""
    document = {"version": "v1", "routes": [{"name": "r", "cluster": "x"}, {"name": "r", "cluster": "y"}]}
    with pytest.raises(Invalid) as caught:
        seawall.policies.apply(document)
    assert caught.value.reason == "POLICY_INVALID"
    assert len(caught.value.violations) >= 3
    assert all(violation.message for violation in caught.value.violations)


def test_a_file_with_mistakes_never_leaves_the_client(seawall: Seawall, policy: Path) -> None:
    """`apply(path)` raises Invalid with file, line and column."""
    policy.write_text("version: v1\nroutez: []\n")
    with pytest.raises(Invalid, match=r"policy\.yaml:2:1"):
        seawall.policies.apply(policy)


def test_check_sees_a_refusal_and_an_endpoint_in_backoff(
    run: Run, policy: Path, proxies: Connect, control: Child
) -> None:
    """× for what is broken, ‼ for what should be looked at, each with a hint."""
    proxy = proxies("p", reasons=("no",))
    run("apply", str(policy))
    endpoint = {"cluster": "c", "address": "127.0.0.1:1", "state": "backoff", "last_error": "refused"}
    proxy.report(endpoints=[endpoint])
    command = ["check", "--no-proxy", "--http", control.ready["http"]]
    wait_until(lambda: "cannot be reached" in run(*command).out, "the endpoint is seen")
    ran = run(*command)
    assert ran.code == 1
    assert "× policy: revision 1 is refused by p" in ran.out
    assert "‼ endpoints: 1 of 1 cannot be reached: p: c 127.0.0.1:1 (refused)" in ran.out
    assert "hint: seawall rollout status" in ran.out


def test_rollout_states_have_a_word_each() -> None:
    """A state that the contract adds is shown by a word as well."""
    from seawall.cli import shapes

    for value in admin_policies_pb2.RolloutState.values()[1:]:
        proxy = admin_policies_pb2.ProxyRollout(state=admin_policies_pb2.RolloutState.Name(value))
        assert shapes.proxy_rollout(proxy)["state"].isalpha()
