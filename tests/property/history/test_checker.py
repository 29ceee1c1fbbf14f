"""The history checker finds every mistake that is planted in a history, and none in a good one."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kit.history import Line, Recorder, check, read

Write = Callable[..., None]


class History:
    """Writes lines with growing times."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def __call__(self, side: str, what: str, **more: Any) -> None:
        self.lines.append({"at": float(len(self.lines)), "side": side, "what": what, **more})

    def without(self, chosen: Callable[[Line], bool]) -> list[Line]:
        """Return the lines but for the first one that is chosen."""
        lines = list(self.lines)
        lines.remove(next(line for line in lines if chosen(line)))
        return lines


def good(seed: int, calls: int) -> History:
    """Return a history of two proxies in which everything is as it should be, whatever happens to be lost,
    refused, sent again and left over.
    """
    dice = random.Random(seed)
    say = History()
    say("test", "published", revision=1, hash="h1")
    for node in ("a", "b"):
        say("wire", "hello", node=node, boot=f"{node}-1", revision=0, hash="", source="file")
        say("wire", "pushed", node=node, revision=1, hash="h1")
        say("wire", "answered", node=node, accepted=True, revision=1, hash="h1", applied=1)
    given_out: dict[str, list[tuple[int, str, str]]] = {"a": [], "b": []}
    for number in range(1, calls + 1):
        node = dice.choice("ab")
        job = f"job-{number}"
        say("caller", "began", job=job, deadline_s=5.0 * calls, once=True)
        say("server", "seen", job=job)
        say("caller", "produced", job=job)
        say("caller", "ended", job=job, code="INTERNAL", stamps=["1", "1"])
        given_out[node].append((len(given_out[node]) + 1, f"id-{number}", job))
    for node, events in given_out.items():
        spool = f"spool-{node}"
        gone = {n for n, _, _ in events if dice.random() < 0.1}
        refused = {n for n, _, _ in events if dice.random() < 0.1} - gone
        here = dice.randint(len(events) // 2, len(events))
        sent = [list(event) for event in events if event[0] <= here and event[0] not in gone]
        gaps = [[n, n, "spool_full"] for n in sorted(gone) if n <= here]
        for _ in range(dice.randint(1, 3)):
            say("wire", "sent", node=node, spool=spool, events=sent, gaps=gaps)
        if here:
            say("wire", "acked", node=node, spool=spool, through=here, refused=sorted(refused))
        for stored in sent:
            if stored[0] not in refused:
                say("store", "stored", id=stored[1], job=stored[2], node=node, spool=spool, number=stored[0])
        for first, last, reason in gaps:
            say("store", "gap", node=node, spool=spool, first=first, last=last, reason=reason)
        say("store", "mark", node=node, spool=spool, assumed=0)
        left = [list(event) for event in events if event[0] > here and event[0] not in gone]
        say(
            "spool", "left", node=node, spool=spool, last=len(events), acked=here, events=left,
            gaps=[[n, n, "spool_full"] for n in sorted(gone) if n > here],
        )  # fmt: skip
    say("test", "published", revision=2, hash="h2")
    say("test", "published", revision=3, hash="h3")
    say("wire", "pushed", node="b", revision=2, hash="h2")
    say("wire", "answered", node="b", accepted=False, revision=2, hash="h2", applied=1)
    say("test", "healed", revision=3, nodes=["a", "b"])
    for node in ("a", "b"):
        say("wire", "hello", node=node, boot=f"{node}-2", revision=1, hash="h1", source="last_good")
        say("wire", "pushed", node=node, revision=3, hash="h3")
        say("wire", "answered", node=node, accepted=True, revision=3, hash="h3", applied=3)
        say("test", "booted", node=node, source="last_good", away=True, served=True, ready_s=1.0)
        say("test", "resources", process=node, when="before", files=20, threads=5)
        say("test", "resources", process=node, when="after", files=22, threads=5)
    return say


ALL = ("I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "X5")
histories = st.builds(good, st.integers(0, 2**32), st.integers(30, 60))


@given(histories)
def test_a_good_history_holds(history: History) -> None:
    """Nothing is found in it, and every invariant was looked at."""
    check(history.lines).require(*ALL)
    check(counted_over(history)).require(*ALL)


def is_stored(line: Line) -> bool:
    """Tell whether a line is about a stored event."""
    return bool(line["what"] == "stored")


def altered(history: History, what: str, **more: Any) -> list[Line]:
    """Return the lines with one that is another, the last of its kind."""
    lines = list(history.lines)
    at = max(n for n, line in enumerate(lines) if line["what"] == what)
    lines[at] = {**lines[at], **more}
    return lines


def added(history: History, line: Line) -> list[Line]:
    """Return the lines with one more."""
    return [*history.lines, {"at": float(len(history.lines)), **line}]


def again(history: History, what: str, **more: Any) -> list[Line]:
    """Return the lines with the last one of a kind once more, changed."""
    found = [line for line in history.lines if line["what"] == what][-1]
    return added(history, {**found, **more, "at": float(len(history.lines))})


def counted_over(history: History, rows: int = 0, groups: int = 0) -> list[Line]:
    """Return the lines, what the store counts, so many too many of each, and what a spool had held."""
    stored = [line["id"] for line in history.lines if is_stored(line)]
    tally = {"side": "store", "what": "tally", "rows": len(stored) + rows, "groups": len(stored) + groups}
    held = {"side": "spool", "what": "held", "node": "a", "ids": stored, "harmed": ["x"]}
    return [*added(history, tally), {"at": 1e6, **held}]


def without_stored(history: History) -> History:
    """Return the history with an event gone that was acknowledged."""
    shorter = History()
    shorter.lines = history.without(is_stored)
    return shorter


def gap_behind(history: History) -> Line:
    """Return what a store says that declares numbers as lost that nobody has been given."""
    line = next(line for line in history.lines if is_stored(line))
    which = {"node": line["node"], "spool": line["spool"], "first": 1000, "last": 1999}
    return {"side": "store", "what": "gap", **which, "reason": "lost_in_crash"}


PLANTED: dict[str, tuple[str, Callable[[History], list[Line]]]] = {
    "an acknowledged event is lost": ("I1", lambda h: h.without(is_stored)),
    "an event is stored twice": ("I1", lambda h: again(h, "stored")),
    "a call's event is stored under a second id": ("I1", lambda h: again(h, "stored", id="x", number=9999)),
    "an event counts twice in its group": ("I1", lambda h: counted_over(h, groups=1)),
    "an event counts twice, and is there once": ("I1", lambda h: counted_over(h, rows=1)),
    "an event of no call is stored": ("I2", lambda h: again(h, "stored", id="x", job="j", number=9999)),
    "a stored event was never sent": ("I2", lambda h: altered(h, "stored", id="another")),
    "a number has no end": ("I3", lambda h: altered(h, "left", acked=10_000, last=10_000)),
    "a call's event is nowhere": (
        "I3",
        lambda h: added(
            History(),
            {"side": "caller", "what": "produced", "job": "lost"},
        )
        + [dict(line, at=line["at"] + 1) for line in h.lines if line["what"] not in ("gap", "left")]
        + [{"at": 1e6, "side": "caller", "what": "produced", "job": f"gone-{n}"} for n in range(5)],
    ),
    "an event whose number is known is nowhere, and others are declared": (
        "I3",
        lambda h: added(without_stored(h), gap_behind(h)),
    ),
    "an event that was whole in a spool is lost": (
        "I3",
        lambda h: added(h, {"side": "spool", "what": "held", "node": "a", "ids": ["x"], "harmed": []}),
    ),
    "a number is stored and declared lost": (
        "I3",
        lambda h: added(
            h,
            next(
                {"side": "store", "what": "gap", "node": line["node"], "spool": line["spool"],
                 "first": line["number"], "last": line["number"], "reason": "corrupt"}
                for line in h.lines
                if is_stored(line)
            ),
        ),
    ),
    "the revision goes down": ("I4", lambda h: again(h, "answered", applied=2, accepted=True)),
    "the revision goes down over a restart": ("I4", lambda h: again(h, "hello", revision=1)),
    "a revision that nobody published": ("I4", lambda h: again(h, "answered", applied=77)),
    "one number, two contents": ("I4", lambda h: again(h, "pushed", revision=3, hash="other")),
    "two policies in one call": ("I5", lambda h: altered(h, "ended", stamps=["1", "2"])),
    "a start from nothing": ("I6", lambda h: altered(h, "booted", source="none")),
    "a start that serves nobody": ("I6", lambda h: altered(h, "booted", served=False)),
    "a proxy that does not come back": ("I7", lambda h: altered(h, "healed", nodes=["a", "b", "c"])),
    "a proxy that comes back late": (
        "I7",
        lambda h: [
            {**line, "at": line["at"] + (100 if line["what"] == "answered" else 0)} for line in h.lines
        ],
    ),
    "a call without an end": ("I8", lambda h: h.without(lambda line: line["what"] == "ended")),
    "a call with two ends": ("I8", lambda h: again(h, "ended")),
    "a server that nobody watches": (
        "I8",
        lambda h: [line for line in h.lines if line["what"] != "seen"],
    ),
    "a call that is carried out twice": ("I8", lambda h: again(h, "seen")),
    "a call that outlives its deadline": ("I8", lambda h: altered(h, "ended", at=1e9)),
    "files that stay open": ("I9", lambda h: altered(h, "resources", files=200)),
    "a refused policy is sent again": (
        "X5",
        lambda h: [
            *(line for line in h.lines if line["what"] != "hello" or not line["boot"].endswith("2")),
            {"at": 1e6, "side": "wire", "what": "pushed", "node": "b", "revision": 2, "hash": "h2"},
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
@settings(max_examples=20)
@given(history=histories)
def test_a_planted_mistake_is_found(name: str, history: History) -> None:
    """Each of them, under its own invariant."""
    invariant, plant = PLANTED[name]
    found = check(plant(history)).findings[invariant]
    assert found.broken and found.offenders, name


def test_what_is_published_again_may_be_sent_again() -> None:
    """An operator who applies refused content again asks again."""
    history = good(1, 30)
    history("test", "published", revision=4, hash="h2")
    history("wire", "pushed", node="b", revision=4, hash="h2")
    assert check(history.lines).holds


def test_what_is_published_again_may_be_sent_before_its_publisher_hears_of_it() -> None:
    """It counts from when it was asked for, and what was sent before that does not."""
    history = good(1, 30)
    refused_at = next(float(line["at"]) for line in history.lines if line.get("accepted") is False)
    history("wire", "pushed", node="b", revision=4, hash="h2")
    sent_at = float(history.lines[-1]["at"])
    asked: Line = {"side": "test", "what": "published", "revision": 4, "hash": "h2", "at": sent_at + 1}
    # On this boot it was refused: of another one nothing is known.
    lines = [line for line in history.lines if not str(line.get("boot", "")).endswith("2")]
    assert check([*lines, {**asked, "asked_s": (refused_at + sent_at) / 2}]).holds
    assert not check([*lines, {**asked, "asked_s": sent_at + 0.5}]).holds
    assert not check([*lines, {**asked, "asked_s": refused_at - 0.5}]).holds


def test_a_caller_that_stood_still_hears_late_of_the_end_of_its_calls() -> None:
    """By as much as it stood still, and no more."""
    began: Line = {"at": 0.0, "side": "caller", "what": "began", "job": "j", "deadline_s": 5.0, "once": True}
    ended: Line = {"at": 9.0, "side": "caller", "what": "ended", "job": "j", "code": "OK", "stamps": []}
    assert check([began, {"at": 9.1, "side": "caller", "what": "stalled", "seconds": 3.5}, ended]).holds
    assert not check([began, {"at": 9.1, "side": "caller", "what": "stalled", "seconds": 2.5}, ended]).holds
    assert not check([began, {"at": 20.0, "side": "caller", "what": "stalled", "seconds": 3.5}, ended]).holds


def test_what_was_not_looked_at_is_no_proof() -> None:
    """A test that watched nothing does not pass."""
    with pytest.raises(AssertionError, match="not looked at: I1, I4"):
        check([]).require("I1", "I4")


def test_what_is_damaged_later_may_be_lost() -> None:
    """What was whole in a spool and is not any more is excused, and nothing else is."""
    lines = counted_over(good(1, 30))
    held: Line = {"side": "spool", "what": "held", "node": "a", "at": 2e6, "ids": ["x", "y"], "harmed": []}
    harmed: Line = {**held, "at": 2e6 + 1, "ids": [], "harmed": ["x", "y"]}
    assert check([*lines, held, harmed]).holds
    assert check([*lines, held, {**harmed, "harmed": ["x"]}]).findings["I3"].broken == 1


def test_what_a_spool_that_is_gone_had_in_flight_is_declared_by_its_successor() -> None:
    """As many as are missing, under numbers of the new one; of the old one nothing that was acknowledged."""
    old: Line = {"node": "a", "spool": "old", "side": "wire"}
    events = [[number, f"id-{number}", f"job-{number}"] for number in (1, 2, 3)]
    lines: list[Line] = [{"side": "caller", "what": "produced", "job": job} for _, _, job in events]
    lines += [
        {**old, "what": "sent", "events": events, "gaps": []},
        {**old, "what": "acked", "through": 1, "refused": []},
        {**old, "side": "store", "what": "stored", "number": 1, "id": "id-1", "job": "job-1"},
        {"side": "store", "what": "mark", "node": "a", "spool": "new", "assumed": 0},
        {
            "side": "spool",
            "what": "left",
            "node": "a",
            "spool": "new",
            "last": 2,
            "acked": 2,
            "events": [],
            "gaps": [],
        },
    ]

    def broken(declared: int, stored: bool = True) -> int:
        gap = {"side": "store", "what": "gap", "node": "a", "spool": "new", "reason": "spool_deleted"}
        told = [*lines, {**gap, "first": 1, "last": declared}]
        kept = [line for line in told if stored or line["what"] != "stored"]
        return check([dict(line, at=float(at)) for at, line in enumerate(kept)]).findings["I3"].broken

    assert broken(2) == 0
    assert broken(1) > 0
    assert broken(2, stored=False) > 0


def test_a_store_that_was_put_back_owes_what_it_declares() -> None:
    """After a restore, acknowledged events may be missing below the mark that the store declares, and no
    others.
    """
    history = good(3, 40)
    lost = next(line for line in history.lines if is_stored(line))
    lines = [line for line in history.lines if line is not lost]
    assert not check(lines).holds
    lines.append({"at": 1e6, "side": "test", "what": "restored"})
    assert not check(lines).holds
    declared = {"side": "store", "what": "mark", "node": lost["node"], "spool": lost["spool"]}
    lines.append({"at": 1e6 + 1, **declared, "assumed": lost["number"]})
    assert check(lines).holds


def test_lines_of_several_files_are_joined_and_a_torn_one_is_left_out(tmp_path: Path) -> None:
    """In the order in which they were written, whoever wrote them."""
    one, two = Recorder(tmp_path, "caller"), Recorder(tmp_path, "wire")
    one("began", job="1")
    two("hello", node="a")
    one("ended", job="1")
    one.close()
    two.close()
    with (tmp_path / "wire.jsonl").open("a") as file:
        file.write('{"at": 1, "what": "se')
    assert [line["what"] for line in read(tmp_path)] == ["began", "hello", "ended"]
