"""Tokens, enrolment and audit as the commands show them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Run
from tests.kit.processes import wait_until

pytestmark = pytest.mark.integration


def test_a_token_is_made_used_listed_and_revoked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its secret is the only thing on stdout, once; what it may not do says what would."""
    made = run("tokens", "create", "--name", "alice", "--role", "viewer", "--ttl", "1h")
    secret = made.out.strip()
    assert re.fullmatch(r"sw_\w{49}", secret)
    assert "not shown again" in made.err
    again = run("tokens", "create", "--name", "alice")
    assert again.code == 1
    assert "there is a token named 'alice'" in again.err
    (shown,) = run("tokens", "list", "-o", "json").json()["tokens"]
    assert (shown["name"], shown["roles"], shown["last_used"]) == ("alice", ["viewer"], None)
    assert secret not in run("tokens", "list").out
    monkeypatch.setenv("SEAWALL_TOKEN", secret)
    assert run("get", "proxies").code == 0
    denied = run("breaker", "reset", "x")
    assert denied.code == 1
    assert "takes the role operator; alice has viewer" in denied.err
    assert "role admin" in run("tokens", "revoke", "alice").err
    monkeypatch.delenv("SEAWALL_TOKEN")
    # That it was used is noted beside the call.
    wait_until(
        lambda: run("tokens", "list", "-o", "json").json()["tokens"][0]["last_used"], "its use is noted"
    )
    assert run("tokens", "revoke", "alice").code == 0
    missing = run("tokens", "revoke", "alice")
    assert missing.code == 1
    assert "tokens list" in missing.err
    refused = run("get", "proxies", "--token", secret)
    assert refused.code == 1
    assert "revoked" in refused.err
    assert run("tokens", "list").out.strip() == ""


def test_a_token_comes_from_a_file_too(run: Run, tmp_path: Path) -> None:
    """A file that is missing, and a token that is damaged, are said before anything is sent."""
    path = tmp_path / "token"
    missing = run("get", "proxies", "--token-file", str(path))
    assert missing.code == 1
    assert "cannot be read" in missing.err
    # A file that holds none must not make the call one of the local user's, who may do everything.
    for content, words in (("", "is empty"), ("\n", "is empty"), ("two words", "holds no token")):
        path.write_text(content)
        refused = run("get", "proxies", "--token-file", str(path))
        assert (refused.code, words in refused.err) == (1, True)
    path.write_text("sw_damaged\n")
    damaged = run("get", "proxies", "--token-file", str(path))
    assert "damaged" in damaged.err
    path.write_text(run("tokens", "create", "--name", "a").out)
    assert run("get", "proxies", "--token-file", str(path)).code == 0


def test_a_token_that_works_for_no_time_is_none_that_works_for_ever(run: Run) -> None:
    """Nought is a mistake; who means for ever says so."""
    refused = run("tokens", "create", "--name", "a", "--ttl", "0s")
    assert (refused.code, refused.out) == (1, "") and "ttl is 0 s" in refused.err
    assert "until it is revoked" in run("tokens", "create", "--name", "a", "--no-expiry").err


def test_enrolment_is_prepared_and_listed(run: Run) -> None:
    """The token names the authority that `ca` prints."""
    fingerprint = run("enrol", "ca", "-o", "json").json()["fingerprint"]
    assert "BEGIN CERTIFICATE" in run("enrol", "ca").out
    secret = run("enrol", "token", "create", "--node", "proxy-1").out.strip()
    assert secret.startswith("swe_")
    assert secret.endswith(f".{fingerprint}")
    listed = run("enrol", "list")
    assert (listed.code, listed.out.strip()) == (0, "")
    assert run("enrol", "list", "-o", "json").json() == {"certificates": []}
    for name in ("no name", "../../x", "a//b", "/a", "."):
        assert "is not a name" in run("enrol", "token", "create", "--node", name).err
    unknown = run("enrol", "revoke", "proxy-2")
    assert unknown.code == 1
    assert "has no certificate that is good" in unknown.err
    # What waits for the node is forgotten.
    assert run("enrol", "revoke", "proxy-1").code == 0


def test_the_audit_is_listed_and_verified(run: Run, policy: Path) -> None:
    """Newest first, with what came of it; and what is refused is there too."""
    assert run("audit", "verify").out.strip() == "The journal is empty."
    assert run("audit", "list").out.strip() == ""
    assert run("apply", str(policy)).code == 0
    run("tokens", "revoke", "nobody")
    failed, applied = run("audit", "list", "-o", "json").json()["entries"]
    assert (failed["outcome"], failed["reason"]) == ("NOT_FOUND", "NOT_FOUND")
    assert applied["method"].endswith("/ApplyPolicy")
    assert applied["actor"].startswith("local user ")
    assert applied["result"]["revision.revision"] == "1"
    (only,) = run("audit", "list", "--method", "ApplyPolicy", "-o", "json").json()["entries"]
    assert only == applied
    assert run("audit", "list", "--actor", "nobody", "-o", "json").json() == {"entries": []}
    text = run("audit", "list").out
    assert "ApplyPolicy" in text
    assert "NOT_FOUND" in text
    verified = run("audit", "verify", "-o", "json")
    assert verified.code == 0
    found = verified.json()
    assert (found["intact"], found["entries"], found["broken"]) == (True, 2, None)
    assert found["head"] == failed["chain"]


def test_keys_are_listed_and_rotated(run: Run) -> None:
    """The newest is current; a prepared one waits until it is taken."""
    (first,) = run("keys", "list", "-o", "json").json()["keys"]
    assert first["current"] and first["available"]
    prepared = run("keys", "rotate", "--prepare")
    assert "Copy the key file" in prepared.err
    assert [key["current"] for key in run("keys", "list", "-o", "json").json()["keys"]].count(True) == 1
    rotated = run("keys", "rotate", "-o", "json").json()
    assert rotated["name"] == prepared.out.strip()
    shown = run("keys", "list").out
    assert "current" in shown and first["name"] in shown


def test_an_export_of_the_audit_is_verified_without_a_control_plane(
    run: Run, policy: Path, tmp_path: Path
) -> None:
    """With the key file; one changed letter is found."""
    assert run("apply", str(policy)).code == 0
    run("tokens", "revoke", "nobody")
    file = run("keys", "list", "-o", "json").json()["file"]
    exported = run("audit", "export").out
    assert len(exported.splitlines()) == 2
    path = tmp_path / "audit.jsonl"
    path.write_text(exported, encoding="utf-8")
    without = run("audit", "verify", "--file", str(path))
    assert without.code == 1
    assert "--store-keys" in without.err
    found = run("audit", "verify", "--file", str(path), "--store-keys", file, "-o", "json")
    assert found.code == 0
    assert (found.json()["entries"], found.json()["sealed"]) == (2, 2)
    path.write_text(exported.replace("NOT_FOUND", "OK"), encoding="utf-8")
    forged = run("audit", "verify", "--file", str(path), "--store-keys", file)
    assert forged.code == 1
    assert "Entry 2 was changed" in forged.out
    assert run("audit", "export", "--after", "1").out == exported.splitlines(keepends=True)[1]


def test_a_proposal_is_made_shown_and_dropped(run: Run, policy: Path) -> None:
    """Nobody approves their own."""
    made = run("proposals", "create", str(policy), "-m", "why")
    assert made.code == 0
    proposal = made.out.strip()
    (listed,) = run("proposals", "list", "-o", "json").json()["proposals"]
    assert (listed["id"], listed["message"], listed["policy_set"]) == (proposal, "why", "default")
    assert "careful" in run("proposals", "show", proposal).out
    own = run("proposals", "approve", proposal)
    assert own.code == 1
    assert "somebody else approves" in own.err
    assert run("proposals", "reject", proposal).code == 0
    assert run("proposals", "list").out.strip() == ""
