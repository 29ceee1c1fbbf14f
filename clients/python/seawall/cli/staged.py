"""Rollouts by stages as plain data for -o json, and as text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import click

from seawall.cli import render
from seawall.cli.shapes import Shape, seconds, time, word
from seawall.v1 import admin_rollouts_pb2 as pb
from seawall.v1.admin_policies_pb2 import ApplyPolicyResponse

_COLORS: Final = {
    "succeeded": "green",
    "rolled_back": "red",
    "failed": "red",
    "cancelled": "yellow",
    "paused": "yellow",
}
_MARKS: Final = {"continue": "✓", "wait": "…", "rollback": "×"}
ENDED: Final = ("succeeded", "rolled_back", "failed", "cancelled")


def shape(item: pb.StagedRollout) -> Shape:
    """A rollout by stages."""
    return {
        "name": item.name,
        "policy_set": item.policy_set,
        "revision": item.revision,
        "stable_revision": item.stable_revision,
        "state": word(pb.StagedRolloutState, item.state, "STAGED_ROLLOUT_STATE_"),
        "reason": item.reason,
        "stage": item.stage,
        "stages": [
            {"percent": stage.percent, "selector": stage.selector, "bake_s": seconds(stage.bake)}
            for stage in item.strategy.stages
        ],
        "stage_time": time(item.stage_time),
        "baked_s": seconds(item.baked),
        "verdict": word(pb.RolloutVerdict, item.verdict, "ROLLOUT_VERDICT_"),
        "findings": [
            {
                "guard": found.guard,
                "verdict": word(pb.RolloutVerdict, found.verdict, "ROLLOUT_VERDICT_"),
                "text": found.text,
                "route": found.route,
                "canary": found.canary,
                "rest": found.rest,
                "limit": found.limit,
                "canary_calls": found.canary_calls,
                "rest_calls": found.rest_calls,
                "p_value": found.p_value,
            }
            for found in item.findings
        ],
        "back_as": item.back_as or None,
        "author": item.author,
        "message": item.message,
        "create_time": time(item.create_time),
        "end_time": time(item.end_time),
        "members": [
            {
                "proxy": member.proxy,
                "member": member.member,
                "applied": member.applied,
                "reasons": list(member.reasons),
            }
            for member in item.members
        ],
    }


def _who(stage: dict[str, Any]) -> str:
    share = "all proxies" if stage["percent"] >= 100 else f"{stage['percent']:g} % of the proxies"
    return share + (f" with {stage['selector']}" if stage["selector"] else "")


def head(data: Shape) -> str:
    """Return the state in one line."""
    state = click.style(data["state"].replace("_", " "), fg=_COLORS.get(data["state"]))
    stage = f", stage {data['stage']} of {len(data['stages'])}" if data["stage"] else ""
    text = f"Rollout of revision {data['revision']} over {data['stable_revision']}: "
    return text + state + stage


def text(data: Shape) -> str:
    """Return the state, what it rests on, and who has the revision."""
    lines = [head(data)]
    if data["reason"]:
        lines.append(f"  {data['reason']}")
    if data["back_as"]:
        lines.append(f"  revision {data['back_as']} brought the content of {data['stable_revision']} back")
    if data["state"] not in ENDED and data["stage"]:
        bake = data["stages"][data["stage"] - 1]["bake_s"] or 0.0
        lines.append(f"  {_who(data['stages'][data['stage'] - 1])}; to hold for {render.span(bake)}")
    members = [member["proxy"] for member in data["members"] if member["member"]]
    if members:
        more = f" and {len(members) - 10} more" if len(members) > 10 else ""
        lines.append(f"  for: {', '.join(members[:10])}{more}")
    lines += [f"  {_MARKS.get(found['verdict'], '?')} {found['text']}" for found in data["findings"]]
    return "\n".join(lines)


def line(data: Shape) -> str:
    """Return one change of a rollout that is followed."""
    found = data["findings"][0]["text"] if data["findings"] and data["state"] not in ENDED else data["reason"]
    return f"{head(data)}: {found}" if found else head(data)


def table(items: list[Shape]) -> str:
    """Return rollouts as a table."""
    now = datetime.now(UTC)
    rows: list[list[str | render.Cell]] = [
        [
            str(item["revision"]),
            str(item["stable_revision"]),
            render.Cell(item["state"], _COLORS.get(item["state"])),
            f"{item['stage']}/{len(item['stages'])}",
            render.ago(datetime.fromisoformat(item["create_time"]) if item["create_time"] else None, now),
            item["author"] or "-",
            render.clip(item["reason"], 80),
        ]
        for item in items
    ]
    headers = ["REVISION", "OVER", "STATE", "STAGE", "FOR", "AUTHOR", "REASON"]
    return render.table(headers, rows, right="REVISION OVER")


def first_line(answer: ApplyPolicyResponse) -> str:
    """Return who gets the revision now, or would."""
    names = list(answer.targets)
    who = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    if not answer.HasField("rollout"):
        return f"For: {who or 'no proxy is connected'}"
    first = shape(answer.rollout)["stages"][0]
    return (
        f"First for {_who(first)}: {who or 'none is connected'}. "
        "`seawall rollout watch` follows it, `seawall rollout undo` takes it back."
    )
