"""The rules of calls: I5 and I8; and of what a process holds: I9."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from tests.kit.history.lines import Line
from tests.kit.history.verdict import Verdict

LATE_S: Final = 1.0
SPARE: Final = {"files": 12, "threads": 8}
"""What a process may hold more than before: connections in between, threads of pools."""


def judge_calls(lines: Iterable[Line], verdict: Verdict) -> None:
    """Judge I5, I8 and I9."""
    history = list(lines)
    _ends(history, verdict)
    _resources(history, verdict)


def _ends(history: list[Line], verdict: Verdict) -> None:
    one_policy, one_end = verdict.findings["I5"], verdict.findings["I8"]
    began: dict[str, Line] = {}
    ended: Counter[str] = Counter()
    answered: set[str] = set()
    seen: Counter[str] = Counter()
    stalls = [line for line in history if line["side"] == "caller" and line["what"] == "stalled"]
    for line in history:
        match line["side"], line["what"]:
            case "caller", "began":
                began[line["job"]] = line
            case "server", "seen":
                seen[line["job"]] += 1
            case "caller", "produced":
                answered.add(line["job"])
            case "caller", "ended":
                ended[line["job"]] += 1
                stamps = line.get("stamps") or []
                if len(stamps) > 1:
                    one_policy.saw()
                    if len(set(stamps)) > 1:
                        one_policy.breaks(f"call {line['job']} has met revisions {', '.join(stamps)}")
                start = began.get(line["job"])
                if start is None:
                    one_end.breaks(f"call {line['job']} ended and never began")
                    continue
                late = line["at"] - start["at"] - start["deadline_s"] - LATE_S
                if late > 0 and late > _stalled(stalls, start["at"], line["at"]):
                    late += LATE_S
                    one_end.breaks(f"call {line['job']} ended {late:.1f} s after its deadline")
    for job, start in began.items():
        one_end.saw()
        if ended[job] != 1:
            one_end.breaks(f"call {job} has {ended[job]} ends")
        if start["once"] and seen[job] > 1:
            one_end.breaks(f"call {job} reached its server {seen[job]} times")
        if job in answered and not seen[job]:
            # Without its witness nobody could tell who is served twice.
            one_end.breaks(f"call {job} was answered by its server, which has not seen it")
    verdict.figures["calls"] = len(began)


def _stalled(stalls: list[Line], since: float, until: float) -> float:
    """Return for how long the callers heard of nothing in a while. Who is told first of the end of a stall,
    the call or its caller, is not sure.
    """
    return sum(float(line["seconds"]) for line in stalls if since <= line["at"] <= until + LATE_S)


def _resources(history: list[Line], verdict: Verdict) -> None:
    found = verdict.findings["I9"]
    before: dict[str, Line] = {}
    for line in history:
        if line["what"] != "resources":
            continue
        if line["when"] == "before":
            before[line["process"]] = line
            continue
        start = before.get(line["process"])
        if start is None:
            continue
        found.saw()
        for name, spare in SPARE.items():
            if line[name] > start[name] + spare:
                found.breaks(f"{line['process']} had {start[name]} {name} before and {line[name]} after")
