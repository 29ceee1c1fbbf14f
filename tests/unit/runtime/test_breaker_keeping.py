"""Images of breakers, the file that they are in, and who is believed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from seawall_policy.breaker import FORCED_OPEN, OPEN, Breaker, BreakerOptions
from seawall_proxy.runtime.breaker_file import MAGIC, BreakerFile, BreakerKeeper
from seawall_proxy.runtime.breaker_images import Image, image_of, saved_of
from seawall_proxy.runtime.frames import Json
from seawall_proxy.runtime.workers.siblings import followed


def held(now: float = 0.0) -> Breaker:
    """Return a breaker that is held open for a minute."""
    breaker = Breaker(BreakerOptions(), lambda: 0.5, "r")
    breaker.hold(FORCED_OPEN, now, 60.0, "ada", "drill")
    return breaker


def image(key: str = "r", trigger: str = "failure_rate", left: float = 3.0) -> Image:
    """Return the image of an open breaker."""
    return {
        "key": key,
        "state": "OPEN",
        "trigger": trigger,
        "at": 1000.0,
        "since_age": 2.0,
        "left": left,
        "reopened": 1,
        "share": 0.0,
        "held": False,
        "by": "",
        "why": "",
    }


def test_an_image_says_all_that_is_kept() -> None:
    """Written and read again it is the same."""
    made = image_of(held(), 10.0)
    assert made is not None
    saved = saved_of(made)
    assert (saved.state, saved.left_s, saved.by, saved.why) == (FORCED_OPEN, 50.0, "ada", "drill")
    forever = Breaker(BreakerOptions(), lambda: 0.5, "r")
    forever.disable(0.0)
    made = image_of(forever, 1.0)
    assert made is not None
    assert made["left"] is None
    assert saved_of(made).left_s == float("inf")
    assert image_of(Breaker(BreakerOptions(), lambda: 0.5, "r"), 1.0) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("state", "AJAR"), ("left", -1.0), ("left", "soon"), ("reopened", None), ("share", True), ("at", None)],
)
def test_an_image_that_makes_no_sense_is_refused(field: str, value: Json) -> None:
    """By an error that the restoring turns into a log line."""
    from seawall_proxy.runtime.breaker_images import number_of

    damaged = {**image(), field: value}
    with pytest.raises((KeyError, TypeError, ValueError)):  # noqa: PT012 - either of the two readers
        saved_of(damaged)
        number_of(damaged["at"])


def test_the_file_is_whole_or_ignored(tmp_path: Path) -> None:
    """What was saved is loaded; damage of any kind is named and loads nothing."""
    file = BreakerFile(tmp_path / "deep")
    assert file.load() == ([], "")
    file.save([image()])
    assert file.load() == ([image()], "")
    assert [path.name for path in file.path.parent.iterdir()] == ["breakers.json"]
    assert file.path.stat().st_mode & 0o777 == 0o600
    whole = file.path.read_bytes()
    for raw in (b"", b"{}", whole[:-1], whole.replace(b"OPEN", b"SHUT"), MAGIC, MAGIC + b"0\n"):
        file.path.write_bytes(raw)
        images, problem = file.load()
        assert images == []
        assert problem


async def test_a_keeper_writes_what_changes_and_nothing_else(tmp_path: Path) -> None:
    """Flushed once for each change; a process that has been released leaves the file alone."""
    keeper = BreakerKeeper(tmp_path)
    assert await keeper.flush()
    assert not keeper.file.path.exists()
    keeper.note(0, "r", image())
    assert await keeper.flush()
    assert await keeper.load() == [image()]
    keeper.note(0, "r", None)
    keeper.note(0, "never", None)
    keeper.release()
    assert await keeper.flush()
    assert await keeper.load() == [image()]


async def test_a_keeper_survives_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    """It says so once, and tries again."""
    (tmp_path / "file").write_text("in the way")
    keeper = BreakerKeeper(tmp_path / "file" / "below")
    keeper.note(0, "r", image())
    assert not await keeper.flush()
    assert not await keeper.flush()
    assert keeper.images() == [image()]


async def test_a_keeper_writes_by_itself(tmp_path: Path) -> None:
    """A moment after the change."""
    keeper = BreakerKeeper(tmp_path)
    writing = asyncio.create_task(keeper.run())
    keeper.note(0, "r", image())
    for _ in range(3000):
        await asyncio.sleep(0.02)
        if keeper.file.path.exists():
            break
    writing.cancel()
    assert keeper.file.load() == ([image()], "")


def test_of_several_workers_the_one_that_found_out_is_believed() -> None:
    """Those that follow it are held longer; when all say closed, nothing is kept."""
    keeper = BreakerKeeper(Path("unused"))
    keeper.note(0, "r", image(trigger="sibling: failure_rate", left=5.0))
    keeper.note(1, "r", image(left=3.0))
    assert keeper.images() == [image(left=3.0)]
    keeper.forget(1)
    assert keeper.images() == [image(trigger="sibling: failure_rate", left=5.0)]
    keeper.note(0, "r", None)
    assert keeper.images() == []


def test_a_worker_that_follows_is_held_a_grace_longer() -> None:
    """So that one of them probes first; what a person holds is the same in all."""
    follower = followed(image(left=4.0))
    assert (follower["left"], follower["held"]) == (6.0, True)
    assert str(follower["trigger"]).startswith("sibling: ")
    by_hand = image_of(held(), 1.0)
    assert by_hand is not None
    assert followed(by_hand) == by_hand
    breaker = Breaker(BreakerOptions(), lambda: 0.5, "r")
    breaker.restore(saved_of(follower), 0.0, 100.0)
    assert (breaker.state, breaker.open_until) == (OPEN, 106.0)
