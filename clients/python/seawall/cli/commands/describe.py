"""`seawall describe`: everything about one thing, put together from what the control plane knows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from seawall.cli import render
from seawall.cli.commands.describe_policy import describe_policy
from seawall.cli.options import connect, control_option, emit, output_option, policy_set_option

if TYPE_CHECKING:
    from seawall.v1.policy_pb2 import PolicyDocument, Route

RECENT = 10


@click.group()
def describe() -> None:
    """Say everything about one policy set, route, breaker, proxy or event."""


describe.add_command(describe_policy)


@describe.command()
@click.argument("name")
@policy_set_option
@control_option
@output_option
def route(name: str, policy_set: str, target: str, output: str) -> None:
    """Say everything about route NAME.

    That is its match, policy, statistics, breakers and recent events.
    """
    from seawall.cli import shapes
    from seawall.cli.commands import breaker as breakers
    from seawall.cli.commands import events, get
    from seawall.errors import NotFound
    from seawall_policy.compile.friendly import to_plain

    with connect(target) as seawall:
        revision = seawall.policies.revision(policy_set=policy_set)
        found = {item.name: item for item in revision.document.routes}
        if name not in found:
            known = ", ".join(found) or "none"
            raise NotFound(
                f"revision {revision.revision} has no route {name!r}", remedy=f"Its routes: {known}."
            )
        item = found[name]
        stats = [one for one in seawall.operations.stats() if one.route == name]
        guards = [one for one in seawall.operations.breakers() if one.route == name]
        recent = list(seawall.events.list(f"route = {events.quote(name)}", limit=RECENT))
    policies = _chain(revision.document, item)
    shape: dict[str, Any] = {
        "route": get.route_shape(item),
        "revision": revision.revision,
        "policies": {policy: to_plain(message) or {} for policy, message in policies.items()},
        "stats": shapes.route_stats(stats[0]) if stats else None,
        "breakers": [shapes.breaker(one) for one in guards],
        "events": [shapes.event(one) for one in recent],
    }

    def text() -> str:
        parts = [
            render.fields(
                [
                    ("Route", name),
                    ("Revision", str(revision.revision)),
                    ("Match", get.match_text(item)),
                    ("To", get.destination_text(item)),
                    ("Policy", item.policy or "builtin/standard"),
                    ("Idempotent", "yes" if item.idempotent else "as the method's descriptor says"),
                ]
            )
        ]
        parts.extend(_policy_text(policy, shape["policies"][policy]) for policy in policies)
        if shape["stats"]:
            parts.append(_stats_text(shape["stats"]))
        if guards:
            parts.append(breakers.table(guards))
        parts.append(events.table(recent) if recent else "No events of this route.")
        return "\n\n".join(parts)

    emit(output, shape, text)


def _chain(document: PolicyDocument, item: Route) -> dict[str, Any]:
    """Return the route's policy and what it extends, nearest first; a loop ends where it began."""
    from seawall.cli.commands.get import builtin_policies

    builtin = builtin_policies()
    name = item.policy or "builtin/standard"
    chain: dict[str, Any] = {}
    while name and name not in chain:
        found = document.policies[name] if name in document.policies else builtin.get(name)
        if found is None:
            break
        chain[name] = found
        name = found.extends
    return chain


def _policy_text(name: str, shape: dict[str, Any]) -> str:
    from seawall.cli.options import to_yaml

    body = to_yaml(shape).rstrip() if shape else "{}"
    return f"Policy {name}:\n" + "\n".join(f"  {line}" for line in body.splitlines())


def _stats_text(shape: dict[str, Any]) -> str:
    total = shape["total"]
    codes = ", ".join(f"{code} {render.count(number)}" for code, number in total["by_code"].items())
    window = render.span(shape["window_s"])
    recent = (
        f"{render.rate(shape['calls_per_second'])} calls/s, {render.percent(shape['success_ratio'])} OK, "
        f"p50 {render.latency(shape['p50_s'])}, p95 {render.latency(shape['p95_s'])}, "
        f"p99 {render.latency(shape['p99_s'])}"
    )
    saved = (
        f"{render.count(total['retries'])} retries, {render.count(total['recovered'])} calls recovered, "
        f"{render.count(total['fallbacks'])} fallbacks, {render.count(total['rejected'])} rejected, "
        f"{render.count(total['budget_exhausted'])} retries refused by the budget"
    )
    return render.fields(
        [
            (f"Last {window}", recent),
            ("Since start", f"{render.count(total['calls'])} calls: {codes}" if codes else "no calls"),
            (
                "Resilience",
                saved,
            ),
            ("Rejected", _counts_text(total["rejected_by"])),
            ("Limits", _limits_text(total)),
            ("Hedges", _hedges_text(total)),
            ("Too late", _late_text(total)),
            ("In shadow", _counts_text(total["would"])),
            ("In flight", str(total["in_flight"])),
        ]
    )


def _counts_text(counts: dict[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{name} {render.count(number)}" for name, number in ordered) or "none"


def _limits_text(total: dict[str, Any]) -> str:
    text = f"refused: {_counts_text(total['limited'])}"
    if total["limited"]:
        text += f" (by criticality: {_counts_text(total['limited_by_criticality'])})"
    if total["queued"]:
        mean_s = total["queue_wait_s"] / total["queued"]
        text += f"; {render.count(total['queued'])} waited, {render.latency(mean_s)} on average"
    return text


def _late_text(total: dict[str, Any]) -> str:
    text = f"{render.count(total['hopeless'])} came with too little time"
    if total["wasted_attempts"]:
        text += (
            f"; {render.count(total['wasted_attempts'])} attempts were for nothing, "
            f"{render.span(total['wasted_s'])} of work"
        )
    return text


def _hedges_text(total: dict[str, Any]) -> str:
    text = f"{render.count(total['hedges'])} sent, {render.count(total['hedges_won'])} won"
    if total["hedges_refused"]:
        text += f"; not sent: {_counts_text(total['hedges_refused'])}"
    return text


@describe.command()
@click.argument("name")
@control_option
@output_option
def breaker(name: str, target: str, output: str) -> None:
    """Say everything about breaker NAME.

    That is its state at every proxy: since when and why, what it has seen, when it probes, who holds it, and
    its last transitions.
    """
    from seawall.cli import shapes
    from seawall.cli.commands import events
    from seawall.cli.commands.breaker_text import describe_breakers
    from seawall.errors import NotFound

    with connect(target) as seawall:
        everything = list(seawall.operations.breakers())
        found = [one for one in everything if one.name == name] or [
            one for one in everything if one.route == name
        ]
        if not found:
            known = ", ".join(sorted({one.name for one in everything})) or "none"
            raise NotFound(f"no connected proxy has a breaker {name!r}", remedy=f"Known breakers: {known}.")
        kinds = "(kind = BREAKER_OPENED OR kind = BREAKER_HALF_OPENED OR kind = BREAKER_CLOSED)"
        recent = list(
            seawall.events.list(f"route = {events.quote(found[0].route)} AND {kinds}", limit=RECENT)
        )
    data = {
        "breakers": [shapes.breaker(one) for one in found],
        "transitions": [shapes.event(one) for one in recent],
    }

    def text() -> str:
        stored = "\n".join(events.line(one) for one in recent) or "No transitions recorded."
        return f"{describe_breakers(found)}\n\n{stored}"

    emit(output, data, text)


@describe.command()
@click.argument("node")
@control_option
@output_option
def proxy(node: str, target: str, output: str) -> None:
    """Say everything about proxy NODE.

    That is its connection, revision, endpoints, breakers, and what operators do to it.
    """
    from seawall.cli import shapes
    from seawall.cli.commands import breaker as breakers
    from seawall.cli.commands import operations

    with connect(target) as seawall:
        item = seawall.operations.proxy(node)
        guards = list(seawall.operations.breakers(proxy=node))
        under_way = operations.done_at(seawall, node)
    shape = shapes.proxy(item)
    now = datetime.now(UTC)

    def text() -> str:
        labels = " ".join(f"{key}={value}" for key, value in shape["labels"].items())
        drift = " (differs from the newest revision)" if item.drifted else ""
        head = render.fields(
            [
                ("Proxy", node),
                (
                    "State",
                    render.Cell("✓ connected", "green")
                    if item.connected
                    else render.Cell("– away", "yellow"),
                ),
                ("Last seen", f"{render.ago(shapes.moment(item.last_seen), now)} ago"),
                ("Up", render.ago(shapes.moment(item.start_time), now)),
                ("Version", item.version),
                ("Labels", labels),
                ("Policy set", item.policy_set or "default"),
                ("Revision", f"{item.applied_revision or '-'} from {item.policy_source or '-'}{drift}"),
                ("Admin", item.admin_address),
                ("Clients", render.count(item.connections)),
                (
                    "Events",
                    f"{render.count(item.events_produced)} made, {render.count(item.events_dropped)} dropped",
                ),
                ("Spool", _spool(shape["spool"])),
            ]
        )
        rows = [
            [
                one["cluster"],
                one["address"],
                _endpoint_state(one["state"], one["outlier"]),
                str(one["in_flight"]),
                one["last_error"],
            ]
            for one in shape["endpoints"]
        ]
        headers = ["CLUSTER", "ENDPOINT", "STATE", "IN-FLIGHT", "LAST ERROR"]
        parts = [head, render.table(headers, rows, right="IN-FLIGHT") if rows else "No endpoints reported."]
        if guards:
            parts.append(breakers.table(guards))
        if under_way:
            parts.append(operations.brief_table(under_way))
        return "\n\n".join(parts)

    more = {"breakers": [shapes.breaker(one) for one in guards], "operations": under_way}
    emit(output, shape | more, text)


def _spool(spool: dict[str, Any] | None) -> render.Cell | str:
    """Return what waits on a proxy's disk; nothing for one that keeps nothing there."""
    if spool is None:
        return ""
    if spool["problem"]:
        return render.Cell(spool["problem"], "red")
    text = f"{render.count(spool['depth'])} events wait ({spool['bytes'] / 1e6:.1f} MB on disk)"
    if spool["depth"]:
        text += f", the oldest for {render.span(spool['oldest_age_s'])}"
    lost = ", ".join(f"{render.count(number)} {reason}" for reason, number in spool["dropped"].items())
    if lost:
        text += f"; dropped: {lost}"
    if spool["degraded"]:
        return render.Cell(f"{text}; the disk has refused a write", "yellow")
    return text


def _endpoint_state(state: str, outlier: str) -> render.Cell:
    if outlier in ("ejected", "trial"):
        return render.Cell(f"◌ {state}, {outlier}", "red" if outlier == "ejected" else "yellow")
    mark, color = {"ready": ("●", "green"), "backoff": ("×", "red"), "connecting": ("…", "yellow")}.get(
        state, ("–", None)
    )
    return render.Cell(f"{mark} {state}", color)


@describe.command()
@click.argument("event_id", metavar="ID")
@control_option
@output_option
def event(event_id: str, target: str, output: str) -> None:
    """Say everything about event ID."""
    from seawall.cli.commands.events import show_event

    show_event(event_id, target, output)
