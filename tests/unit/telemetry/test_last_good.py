"""The last good policy on disk."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from seawall.v1 import policy_pb2
from seawall_proxy.runtime.last_good import CURRENT, PREVIOUS, LastGood


def document(name: str) -> policy_pb2.PolicyDocument:
    """Return a document that can be told from others."""
    return policy_pb2.PolicyDocument(version="v1", clusters=[policy_pb2.Cluster(name=name)])


def saved(directory: Path, count: int = 2) -> LastGood:
    """Return the store after `count` saves, revisions 1 to `count`."""
    store = LastGood(directory)
    for revision in range(1, count + 1):
        store.save(document(f"c{revision}"), revision, f"hash{revision}", 1000.0 + revision)
    return store


def test_newest_policy_comes_back_whole(tmp_path: Path) -> None:
    """Document, revision, hash and time are what was saved; files are private."""
    store = saved(tmp_path / "node")
    result = store.load()
    assert result.problems == ()
    assert result.policy is not None
    assert (result.policy.revision, result.policy.digest, result.policy.issued_s) == (2, "hash2", 1002.0)
    assert result.policy.document == document("c2")
    assert {path.name for path in (tmp_path / "node").iterdir()} == {CURRENT, PREVIOUS}
    for path in (tmp_path / "node").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_files_in_each_others_place_are_noticed(tmp_path: Path) -> None:
    """The newer one counts wherever it is, and that is said; files of before there were generations count by
    their place.
    """
    store = saved(tmp_path, 3)
    (tmp_path / CURRENT).rename(tmp_path / "aside")
    (tmp_path / PREVIOUS).rename(tmp_path / CURRENT)
    (tmp_path / "aside").rename(tmp_path / PREVIOUS)
    result = store.load()
    assert result.policy is not None and result.policy.revision == 3
    assert len(result.problems) == 1 and "each other's place" in result.problems[0]
    store.save(document("c4"), 4, "hash4", 1.0)
    result = store.load()
    assert result.policy is not None and (result.policy.revision, result.policy.generation) == (4, 4)


def test_nothing_saved_is_no_problem(tmp_path: Path) -> None:
    """A first start has nothing to report."""
    result = LastGood(tmp_path / "none").load()
    assert (result.policy, result.problems) == (None, ())


def test_every_changed_byte_is_noticed(tmp_path: Path) -> None:
    """A flip anywhere in the current file leads to the previous one, and is reported with the file's name."""
    store = saved(tmp_path)
    raw = (tmp_path / CURRENT).read_bytes()
    for at in range(len(raw)):
        (tmp_path / CURRENT).write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        result = store.load()
        assert result.policy is not None
        assert result.policy.revision == 1
        assert len(result.problems) == 1
        assert CURRENT in result.problems[0]


@pytest.mark.parametrize("size", [0, 5, 30, 100, 140])
def test_every_truncation_is_noticed(tmp_path: Path, size: int) -> None:
    """A file that ends too early is not used."""
    store = saved(tmp_path)
    assert (tmp_path / CURRENT).stat().st_size > size
    os.truncate(tmp_path / CURRENT, size)
    result = store.load()
    assert result.policy is not None
    assert result.policy.revision == 1
    assert result.problems != ()


def test_both_damaged_is_reported_twice(tmp_path: Path) -> None:
    """Then there is nothing to start from, and the operator learns of both files."""
    store = saved(tmp_path)
    for name in (CURRENT, PREVIOUS):
        (tmp_path / name).write_bytes(b"SEAWALL-LAST-GOOD 2\nfuture")
    result = store.load()
    assert result.policy is None
    assert len(result.problems) == 2
    assert "format" in result.problems[0]


def test_damaged_current_does_not_replace_a_whole_previous(tmp_path: Path) -> None:
    """A save after damage keeps the generation that can be read."""
    store = saved(tmp_path)
    (tmp_path / CURRENT).write_bytes(b"garbage")
    store.save(document("c3"), 3, "hash3", 1003.0)
    (tmp_path / CURRENT).write_bytes(b"garbage")
    result = store.load()
    assert result.policy is not None
    assert result.policy.revision == 1


@pytest.mark.parametrize("name", ["fsync", "link"])
def test_failed_save_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """An error of the disk is raised, and the old policy can still be loaded."""
    store = saved(tmp_path)

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, name, fail)
    with pytest.raises(OSError, match="No space"):
        store.save(document("c3"), 3, "hash3", 1003.0)
    result = store.load()
    assert result.policy is not None
    assert result.policy.revision == 2


def test_too_large_policy_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be read back is not written, and a file that has grown is not read."""
    monkeypatch.setattr("seawall_proxy.runtime.last_good.MAX_BYTES", 100)
    with pytest.raises(OSError, match="100 are kept"):
        LastGood(tmp_path).save(document("x" * 200), 1, "h", 1.0)
    (tmp_path / CURRENT).write_bytes(bytes(2000))
    assert "larger than" in LastGood(tmp_path).load().problems[0]
