"""The rules of events: I1, I2 and I3."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.kit.history.lines import Line
from tests.kit.history.verdict import Verdict

Spool = tuple[str, str]
"""Node and identity of the spool."""


@dataclass(slots=True)
class _Numbers:
    """One spool as all sides saw it."""

    sent: dict[int, dict[str, str]] = field(default_factory=dict)
    """Job by id, by number: of copies of one spool, several events come under one number."""
    acked: int = 0
    refused: set[int] = field(default_factory=set)
    stored: dict[int, str] = field(default_factory=dict)
    gaps: list[tuple[int, int, str]] = field(default_factory=list)
    left: dict[int, tuple[str, str]] = field(default_factory=dict)
    left_gaps: list[tuple[int, int, str]] = field(default_factory=list)
    acked_by_spool: int = 0
    last: int = 0
    """Last number that was given out, as far as anybody knows."""
    is_known: bool = False
    """Whether the spool was looked into when all was over."""
    assumed: int = 0

    def in_gaps(self) -> set[int]:
        """Return the numbers that are declared as lost, in the store."""
        return {number for first, last, _ in self.gaps for number in range(first, last + 1)}

    def declared(self) -> set[int]:
        """Return the numbers that are declared as lost, in the store or in what is left of the spool."""
        left = {number for first, last, _ in self.left_gaps for number in range(first, last + 1)}
        return self.in_gaps() | left

    def known(self) -> Iterator[tuple[int, str]]:
        """Return the numbers of calls, as far as anybody was told them."""
        for number, events in self.sent.items():
            for job in events.values():
                yield number, job


class EventRules:
    """Takes the lines about events, then judges."""

    def __init__(self) -> None:
        self._spools: dict[Spool, _Numbers] = {}
        self._began: set[str] = set()
        self._seen: set[str] = set()
        self._produced: dict[str, float] = {}
        self._stored: Counter[str] = Counter()
        self._stored_jobs: Counter[str] = Counter()
        self._stored_lines: list[Line] = []
        self._counted = 0
        self._tallies: list[Line] = []
        self._held: dict[str, str] = {}
        """Node by id of events that a spool had, whole and unharmed, before whatever came then."""
        self._restored = False
        self._looked = False

    def take(self, line: Line) -> None:
        """Take in a line."""
        match line["side"], line["what"]:
            case "caller", "began":
                self._began.add(line["job"])
            case "server", "seen":
                self._seen.add(line["job"])
            case "caller", "produced":
                self._produced[line["job"]] = float(line["at"])
            case "wire", "sent":
                spool = self._spool(line)
                for number, event_id, job in line["events"]:
                    spool.sent.setdefault(number, {})[event_id] = job
                    spool.last = max(spool.last, number)
                for _, last, _ in line["gaps"]:
                    spool.last = max(spool.last, last)
            case "wire", "acked":
                spool = self._spool(line)
                spool.acked = max(spool.acked, int(line["through"]))
                spool.refused.update(line["refused"])
            case "store", "stored":
                self._looked = True
                self._stored[line["id"]] += 1
                self._stored_lines.append(line)
                if line["job"]:
                    self._stored_jobs[line["job"]] += 1
                if line["spool"]:
                    self._spool(line).stored[line["number"]] = line["id"]
            case "store", "counted":
                self._counted += int(line["events"])
            case "store", "tally":
                self._tallies.append(line)
            case "store", "gap":
                self._spool(line).gaps.append((line["first"], line["last"], line["reason"]))
            case "store", "refusal":
                self._spool(line).refused.add(line["number"])
            case "store", "mark":
                self._looked = True
                self._spool(line).assumed = int(line["assumed"])
            case "spool", "left":
                spool = self._spool(line)
                spool.is_known = True
                spool.last = max(spool.last, int(line["last"]))
                spool.acked_by_spool = int(line["acked"])
                spool.left = {number: (event_id, job) for number, event_id, job in line["events"]}
                spool.left_gaps = [(first, last, reason) for first, last, reason in line["gaps"]]
            case "spool", "held":
                self._held.update(dict.fromkeys(line["ids"], line["node"]))
                for event_id in line["harmed"]:
                    self._held.pop(event_id, None)
            case "test", "restored":
                self._restored = True

    def _spool(self, line: Line) -> _Numbers:
        return self._spools.setdefault((line["node"], line["spool"]), _Numbers())

    def judge(self, verdict: Verdict) -> None:
        """Say what of it is broken. Without a look into the store there is nothing to say."""
        if not self._looked:
            return
        self._acknowledged(verdict)
        self._once(verdict)
        self._tallied(verdict)
        self._invented(verdict)
        self._numbers(verdict)
        self._jobs(verdict)
        declared = sum(len(spool.declared()) for spool in self._spools.values())
        verdict.figures.update(
            {
                "produced": len(self._produced),
                "sent": sum(len(events) for spool in self._spools.values() for events in spool.sent.values()),
                "acked": sum(min(s.acked, s.last) for s in self._spools.values()),
                "stored": sum(self._stored.values()),
                "unstored": len(self._seen - self._stored_jobs.keys()),
                "counted": self._counted,
                "refused": sum(len(spool.refused) for spool in self._spools.values()),
                "declared": declared,
                "spooled": sum(len(spool.left) for spool in self._spools.values()),
            }
        )

    def _acknowledged(self, verdict: Verdict) -> None:
        found = verdict.findings["I1"]
        missing: list[str] = []
        for (node, _), spool in self._spools.items():
            given_up = spool.in_gaps()
            for number, events in spool.sent.items():
                if number > spool.acked:
                    continue
                found.saw()
                if number in spool.refused or number in given_up:
                    continue
                if self._restored and number <= spool.assumed:
                    continue
                missing += [
                    f"event {number} of {node} ({job or event_id}) was acknowledged and is lost"
                    for event_id, job in events.items()
                    if not self._stored[event_id]
                ]
        # Of a flood the store says how many it counted, not which.
        for text in missing[self._counted :]:
            found.breaks(text)

    def _once(self, verdict: Verdict) -> None:
        found = verdict.findings["I1"]
        for name, times in self._stored.items():
            if times > 1:
                found.breaks(f"event {name} is stored {times} times", times - 1)
        for name, times in self._stored_jobs.items():
            if times > 1:
                found.breaks(f"the event of call {name} is stored {times} times", times - 1)

    def _invented(self, verdict: Verdict) -> None:
        found = verdict.findings["I2"]
        tapped = {node for (node, _), spool in self._spools.items() if spool.sent}
        for line in self._stored_lines:
            found.saw()
            if line["job"] and self._began and line["job"] not in self._began:
                found.breaks(f"event {line['id']} is of call {line['job']}, which nobody made")
            elif (
                line["spool"]
                and line["node"] in tapped
                and line["id"] not in self._spool(line).sent.get(line["number"], {})
            ):
                found.breaks(f"event {line['id']} is stored as number {line['number']}, never sent as it")

    def _numbers(self, verdict: Verdict) -> None:
        """Every number that was given out has one end."""
        found = verdict.findings["I3"]
        unaccounted: list[str] = []
        for (node, name), spool in self._spools.items():
            gaps = spool.in_gaps()
            for number in sorted(gaps & spool.stored.keys()):
                found.breaks(f"number {number} of {node} is stored, and declared as lost")
            if not spool.is_known:
                continue
            found.saw(spool.last)
            ends = gaps | spool.stored.keys() | spool.refused | spool.left.keys()
            for number in range(1, spool.last + 1):
                if number in ends or number > spool.acked_by_spool:
                    continue
                if self._restored and number <= spool.assumed:
                    continue
                sent = spool.sent.get(number, {})
                if sent and all(self._stored[event_id] for event_id in sent):
                    continue
                what = next(iter(sent), f"spool {name[:8]}")
                unaccounted.append(f"number {number} of {node} ({what}) has no end")
        for text in unaccounted[self._counted :]:
            found.breaks(text)

    def _jobs(self, verdict: Verdict) -> None:
        """Every failed call has its event somewhere, or among what is declared: under its own number, if that
        is known, and else under one that nobody knows the event of. What a spool that is gone had not heard
        to be kept, its successor declares under numbers of its own.
        """
        found = verdict.findings["I3"]
        found.saw(len(self._produced))
        somewhere: set[str] = set(self._stored_jobs)
        numbered: set[str] = set()
        unknown = self._counted
        for spool in self._spools.values():
            ends = spool.declared() | spool.refused
            for number, job in spool.known():
                if spool.is_known or number <= spool.acked:
                    numbered.add(job)
                if number in ends or (self._restored and number <= spool.assumed):
                    somewhere.add(job)
            somewhere |= {job for _, job in spool.left.values()}
            unknown += len(spool.declared() - spool.sent.keys())
        missing = sorted(self._produced.keys() - somewhere, key=self._produced.__getitem__)
        nameless = [job for job in missing if job not in numbered]
        for job in nameless[unknown:]:
            found.breaks(f"the event of call {job} is nowhere, and nobody says so")
        for job in [job for job in missing if job in numbered][max(0, self._counted - len(nameless)) :]:
            found.breaks(f"the event of call {job} had a number and is nowhere, and nobody says so")
        for event_id, node in self._held.items():
            found.saw()
            if not self._stored[event_id]:
                found.breaks(f"event {event_id} was whole in the spool of {node} and is lost")

    def _tallied(self, verdict: Verdict) -> None:
        """What the store counts is what it holds: an event that was taken in twice counts twice, although the
        second row of it was refused.
        """
        found = verdict.findings["I1"]
        stored = sum(self._stored.values())
        for line in self._tallies:
            found.saw()
            for what, wanted in (("rows", stored), ("groups", stored + self._counted)):
                if line[what] != wanted:
                    found.breaks(f"the store counts {line[what]:,} events by {what}, and has {wanted:,}")


def judge_events(lines: Iterable[Line], verdict: Verdict) -> None:
    """Judge I1, I2 and I3."""
    rules = EventRules()
    for line in lines:
        rules.take(line)
    rules.judge(verdict)
