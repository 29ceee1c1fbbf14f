"""The rules of policies: I4, I6, I7 and X5."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tests.kit.history.lines import Line
from tests.kit.history.verdict import Verdict

CONVERGE_S: Final = 30.0
SHARE: Final = 0.99
READY_S: Final = 60.0
"""It starts, and serves its first call: a second or two, but on a machine that has far too much to do."""


def judge_policies(lines: Iterable[Line], verdict: Verdict) -> None:
    """Judge I4, I6, I7 and X5."""
    history = list(lines)
    _revisions(history, verdict)
    _starts(history, verdict)
    _convergence(history, verdict)
    _repeats(history, verdict)


def _in_effect(line: Line) -> int | None:
    """Return the revision that a proxy says is in effect with a line."""
    if line["side"] != "wire":
        return None
    if line["what"] == "hello" and line["source"] in ("live", "last_good"):
        return int(line["revision"])
    if line["what"] == "answered":
        return int(line["applied"])
    return None


def _revisions(history: list[Line], verdict: Verdict) -> None:
    found = verdict.findings["I4"]
    highest: dict[str, int] = {}
    published: dict[int, str] = {}
    is_complete = False
    for line in history:
        if line["what"] == "published" and line["side"] == "test":
            is_complete = True
            published[int(line["revision"])] = line["hash"]
        if line["what"] == "pushed" and line["side"] == "wire":
            # What the control plane hands out under a number is one thing, for ever.
            known = published.setdefault(int(line["revision"]), line["hash"])
            if known != line["hash"]:
                found.breaks(f"revision {line['revision']} is handed out with two contents")
        revision = _in_effect(line)
        if revision is None:
            continue
        found.saw()
        node = line["node"]
        if revision < highest.get(node, 0):
            found.breaks(f"{node} goes from revision {highest[node]} down to {revision}")
        highest[node] = max(revision, highest.get(node, 0))
        if is_complete and revision and revision not in published:
            found.breaks(f"{node} has revision {revision} in effect, which nobody published")
    verdict.figures["revisions"] = len(published)


def _starts(history: list[Line], verdict: Verdict) -> None:
    found = verdict.findings["I6"]
    for line in history:
        if line["what"] != "booted" or not line["away"]:
            continue
        found.saw()
        if line["source"] not in ("last_good", "file") or not line["served"] or line["ready_s"] > READY_S:
            found.breaks(
                f"{line['node']} started from {line['source']} after {line['ready_s']:.1f} s, "
                f"served: {line['served']}"
            )


def _convergence(history: list[Line], verdict: Verdict) -> None:
    found = verdict.findings["I7"]
    for healed in history:
        if healed["what"] != "healed":
            continue
        had: dict[str, float] = {}
        for line in history:
            revision = _in_effect(line)
            if revision is not None and revision >= healed["revision"]:
                had.setdefault(line["node"], float(line["at"]))
        waits = sorted(max(0.0, had.get(node, float("inf")) - healed["at"]) for node in healed["nodes"])
        found.saw(len(waits))
        late = [wait for wait in waits if wait > CONVERGE_S]
        if len(late) > (1 - SHARE) * len(waits):
            found.breaks(
                f"{len(late)} of {len(waits)} proxies did not have revision {healed['revision']} in time",
                len(late),
            )
        if waits and waits[-1] != float("inf"):
            slowest = round(1000 * waits[-1])
            verdict.figures["slowest_ms"] = max(slowest, verdict.figures.get("slowest_ms", 0))


def _repeats(history: list[Line], verdict: Verdict) -> None:
    found = verdict.findings["X5"]
    boots: dict[str, str] = {}
    refused: dict[tuple[str, str, str], float] = {}
    asked: dict[str, list[float]] = {}
    for line in history:
        if line["what"] == "published" and line["side"] == "test":
            # Whoever publishes it again asks again; it may be sent before its publisher hears of it.
            asked.setdefault(line["hash"], []).append(
                float(line["asked_s"] if "asked_s" in line else line["at"])
            )
    for line in history:
        if line["side"] != "wire":
            continue
        if line["what"] == "hello":
            boots[line["node"]] = line["boot"]
        elif line["what"] == "answered" and not line["accepted"]:
            refused[line["node"], boots.get(line["node"], ""), line["hash"]] = float(line["at"])
        elif line["what"] == "pushed":
            found.saw()
            since = refused.get((line["node"], boots.get(line["node"], ""), line["hash"]))
            again = asked.get(line["hash"], [])
            if since is not None and not any(since < at <= line["at"] for at in again):
                found.breaks(f"{line['node']} is sent revision {line['revision']}, which it has refused")
