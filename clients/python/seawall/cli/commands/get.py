"""`seawall get`: lists, and policies as files."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import click

from seawall.cli import render
from seawall.cli.options import (
    WholeRange,
    connect,
    control_option,
    emit,
    output_option,
    policy_set_option,
    say,
)

if TYPE_CHECKING:
    from seawall.v1.admin_fleet_pb2 import Proxy
    from seawall.v1.policy_pb2 import Fallback, Policy, PolicyDocument, Route


@click.group()
def get() -> None:
    """List policies, revisions, routes, clusters, breakers, proxies or events."""


@get.command()
@click.option("--builtin", is_flag=True, help="The policies that are always there, from this installation.")
@policy_set_option
@control_option
@output_option
def policies(builtin: bool, policy_set: str, target: str, output: str) -> None:
    """List policies of the newest revision, or the built-in ones."""
    from seawall_policy.compile.friendly import to_plain
    from seawall_proxy.config import render_policies

    found = builtin_policies() if builtin else dict(_newest(target, policy_set).policies)
    ordered = {name: found[name] for name in sorted(found)}
    if output == "yaml":
        click.echo(render_policies(ordered), nl=False)
        return
    data = {"policies": {name: to_plain(item) for name, item in ordered.items()}}

    def text() -> str:
        if not found:
            say("The newest revision names no policies; `--builtin` lists those that are always there.")
            return ""
        rows = [[name, *_summary(found[name])] for name in sorted(found)]
        return render.table(
            ["POLICY", "EXTENDS", "TIMEOUT", "PER-TRY", "ATTEMPTS", "BREAKER", "FALLBACK"], rows
        )

    emit(output, data, text)


@get.command()
@click.argument("name")
@policy_set_option
@control_option
@click.option(
    "-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True, help="Form."
)
def policy(name: str, policy_set: str, target: str, output: str) -> None:
    """Print policy NAME as a policy file spells it."""
    from seawall.errors import NotFound
    from seawall_policy.compile.friendly import to_plain
    from seawall_proxy.config import render_policies

    found = builtin_policies() if name.startswith("builtin/") else dict(_newest(target, policy_set).policies)
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise NotFound(f"there is no policy {name!r}", remedy=f"Known: {known}.")
    if output == "yaml":
        click.echo(render_policies({name: found[name]}), nl=False)
    else:
        emit(output, to_plain(found[name]) or {}, str)


def builtin_policies() -> dict[str, Policy]:
    """Return the built-in policies by name."""
    from seawall_policy.builtin import builtin_documents

    return builtin_documents()


def _newest(target: str, policy_set: str) -> PolicyDocument:
    with connect(target) as seawall:
        return seawall.policies.revision(policy_set=policy_set).document


def _summary(item: Policy) -> list[str]:
    from seawall_policy.compile.friendly import to_plain

    shape = cast("dict[str, Any]", to_plain(item))
    retry: dict[str, Any] = shape.get("retry", {})
    return [
        item.extends or "-",
        shape.get("timeout", "-"),
        shape.get("per_try_timeout", "-"),
        str(retry.get("max_attempts", "-")),
        _breaker_text(shape.get("breaker")),
        ", ".join(_fallback_text(entry) for entry in item.fallback) or "-",
    ]


def _fallback_text(entry: Fallback) -> str:
    """Name what answers: another cluster or method by its name, the rest by its kind."""
    if entry.HasField("static"):
        return "static"
    if entry.HasField("last_good"):
        return "last_good"
    if entry.empty:
        return "empty"
    return entry.cluster or entry.method


def _breaker_text(shape: dict[str, Any] | None) -> str:
    if shape is None:
        return "-"
    mode: str = shape.get("mode", "enforce")
    if mode == "off":
        return "off"
    return f"{mode} {shape.get('failure_rate', '')}".strip()


@get.command()
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Most revisions to show."
)
@policy_set_option
@control_option
@output_option
def revisions(limit: int, policy_set: str, target: str, output: str) -> None:
    """List the revisions, newest first."""
    from seawall.cli.commands.rollout import show_history

    show_history(limit, policy_set, target, output)


@get.command()
@click.argument("number", required=False, type=WholeRange(1))
@click.option("--whole", is_flag=True, help="With everything that it extends written out, as proxies get it.")
@policy_set_option
@control_option
@click.option(
    "-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True, help="Form."
)
def revision(number: int | None, whole: bool, policy_set: str, target: str, output: str) -> None:
    """Print revision NUMBER (default: newest) as a policy file.

    It can be edited and applied.
    """
    from seawall_policy.compile.friendly import to_plain
    from seawall_proxy.config import render_document

    with connect(target) as seawall:
        item = seawall.policies.revision(number or 0, policy_set=policy_set)
    document = item.document if whole or not item.HasField("own_document") else item.own_document
    say(f"# revision {item.revision} ({item.hash[:12]}) by {item.author or '-'}: {item.message or '-'}")
    if output == "yaml":
        click.echo(render_document(document), nl=False)
    else:
        emit(output, to_plain(document), str)


@get.command()
@policy_set_option
@control_option
@output_option
def routes(policy_set: str, target: str, output: str) -> None:
    """List the routes of the newest revision.

    They are in the order of the document; the most specific match wins.
    """
    document = _newest(target, policy_set)
    shapes_ = [route_shape(item) for item in document.routes]
    rows = [
        [
            item["name"],
            match_text(route),
            destination_text(route),
            item["policy"],
            "yes" if item["idempotent"] else "-",
        ]
        for item, route in zip(shapes_, document.routes, strict=True)
    ]
    headers = ["ROUTE", "MATCH", "TO", "POLICY", "IDEMPOTENT"]
    emit(output, {"routes": shapes_}, lambda: render.table(headers, rows) if rows else "")


def route_shape(item: Route) -> dict[str, Any]:
    """A route of a document."""
    return {
        "name": item.name,
        "service": item.match.service,
        "method": item.match.method,
        "metadata": [{"name": one.name, "value": one.value} for one in item.match.metadata],
        "cluster": item.cluster,
        "backends": [
            {"cluster": one.cluster, "weight": one.weight if one.HasField("weight") else 1}
            for one in item.backends
        ],
        "policy": item.policy or "builtin/standard",
        "idempotent": item.idempotent,
        "optional": item.optional,
    }


def match_text(item: Route) -> str:
    """Return what a route matches, in short."""
    path = f"{item.match.service}/{item.match.method or '*'}" if item.match.service else "*"
    conditions = "".join(f" {one.name}={one.value}" for one in item.match.metadata)
    return path + conditions


def destination_text(item: Route) -> str:
    """Return where a route goes, in short."""
    if item.cluster:
        return item.cluster
    weights = [one.weight if one.HasField("weight") else 1 for one in item.backends]
    total = sum(weights) or 1
    parts = (f"{one.cluster} {w * 100 / total:.0f}%" for one, w in zip(item.backends, weights, strict=True))
    return ", ".join(parts)


@get.command()
@click.option("--proxy", metavar="NODE", default="", help="Only this proxy.")
@control_option
@output_option
def breakers(proxy: str, target: str, output: str) -> None:
    """List the breakers of all proxies."""
    from seawall.cli.commands.breaker import show_breakers

    show_breakers(proxy, target, output)


@get.command()
@click.option("--proxy", metavar="NODE", default="", help="Only this proxy.")
@control_option
@output_option
def clusters(proxy: str, target: str, output: str) -> None:
    """List the clusters of all proxies: their endpoints, and the outliers among them.

    EJECTIONS are since the proxies started. SPARED are outliers that were not left out, in shadow mode or
    because too many were out already. An endpoint counts once for each proxy.
    """
    from seawall.cli import shapes

    with connect(target) as seawall:
        items = [shapes.cluster_stats(item) for item in seawall.operations.clusters(proxy=proxy)]
    rows = [
        [
            item["cluster"],
            render.count(item["proxies"]),
            render.count(item["endpoints"]),
            render.Cell(render.count(item["ejected"]), "red" if item["ejected"] else None),
            _by_name(item["ejections"]),
            _by_name(item["spared"]),
            render.count(item["panics"]),
        ]
        for item in items
    ]
    headers = ["CLUSTER", "PROXIES", "ENDPOINTS", "EJECTED", "EJECTIONS", "SPARED", "PANICS"]
    emit(
        output,
        {"clusters": items},
        lambda: render.table(headers, rows, right="PROXIES ENDPOINTS EJECTED PANICS") if rows else "",
    )
    if not items:
        say("No proxy that is connected has reported a cluster yet (`seawall get proxies`).")


def _by_name(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {render.count(number)}" for name, number in counts.items()) or "-"


@get.command()
@control_option
@output_option
def proxies(target: str, output: str) -> None:
    """List the proxies that the control plane knows, also those that are connected to another one."""
    from seawall.cli import shapes

    with connect(target) as seawall:
        items = list(seawall.operations.proxies())
    now = datetime.now(UTC)
    rows = [
        [
            item.node,
            _connection(item),
            render.ago(shapes.moment(item.last_seen), now),
            str(item.applied_revision or "-"),
            item.policy_source or "-",
            render.Cell("yes", "yellow") if item.drifted else "no",
            # Endpoints are known where it is connected.
            "-"
            if item.control_plane
            else f"{sum(one.state == 'ready' for one in item.endpoints)}/{len(item.endpoints)}",
            render.count(item.connections),
            render.count(item.events_dropped),
            item.version or "-",
        ]
        for item in items
    ]
    headers = [
        "PROXY",
        "STATE",
        "SEEN",
        "REVISION",
        "FROM",
        "DRIFT",
        "READY",
        "CLIENTS",
        "DROPPED",
        "VERSION",
    ]
    emit(
        output,
        {"proxies": [shapes.proxy(item) for item in items]},
        lambda: render.table(headers, rows, right="SEEN REVISION READY CLIENTS DROPPED") if rows else "",
    )
    if not items:
        say("No proxy has ever connected: `seawall proxy --config FILE --control TARGET`.")


@get.command("events")
@click.option("--filter", "filter_", default="", help="AIP-160 filter; see `seawall events --help`.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Most events to show."
)
@control_option
@output_option
def events_(filter_: str, limit: int, target: str, output: str) -> None:
    """List error events, newest first."""
    from seawall.cli.commands.events import show_events

    show_events(filter_, limit, False, target, output)


def _connection(item: Proxy) -> render.Cell:
    if not item.connected:
        return render.Cell("– away", "yellow")
    if item.stale:
        return render.Cell("– stale", "yellow")
    return render.Cell(f"✓ at {item.control_plane}" if item.control_plane else "✓ connected", "green")
