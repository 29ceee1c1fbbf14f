"""The text of a share (fleet_share.py): JSON, bounded, and without what is zero."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Final

from seawall_control.domain.events import Json
from seawall_control.domain.fleet_ledger import End
from seawall_control.domain.fleet_share import EndpointSight, Judged, NodeNumbers, Share
from seawall_control.domain.records import MAX_BODY_BYTES
from seawall_control.domain.statistics import ClusterCounters, Counters
from seawall_control.domain.stored_json import Fields, text_of

FORMAT: Final = 2
_ROW: Final = tuple(one.name for one in fields(NodeNumbers))
_LEAST_NEEDED: Final = ("breakers", "endpoints", "clusters", "totals", "ends")
"""What is left out first where it would be too long."""


def encoded(share: Share) -> str:
    """Return the text of the document; what is least needed is left out where it would be too long."""
    for number in range(len(_LEAST_NEEDED) + 1):
        text = text_of(_json(share, _LEAST_NEEDED[:number]))
        if len(text.encode()) <= MAX_BODY_BYTES:
            return text
    nodes = dict.fromkeys(share.nodes, NodeNumbers())
    return text_of(_json(Share(run=share.run, number=share.number, is_partial=True, nodes=nodes), ()))


def _json(share: Share, left_out: tuple[str, ...]) -> dict[str, Json]:
    body: dict[str, Json] = {
        "format": FORMAT,
        "run": share.run,
        "number": share.number,
        "has_ended": share.has_ended,
        "is_partial": share.is_partial,
        "nodes": {node: [getattr(one, name) for name in _ROW] for node, one in share.nodes.items()},
        "ends": {
            node: [one.run, {route: list(codes) for route, codes in one.routes.items()}]
            for node, one in share.ends.items()
        },
        "endpoints": [
            [cluster, address, one.proxies, one.watched, one.ejected, one.alone, list(one.reasons)]
            for (cluster, address), one in share.endpoints.items()
        ],
        "open_breakers": share.open_breakers,
        "grown": _routes_json(share.grown),
        "totals": _routes_json(share.totals),
        "clusters": {name: [_counters_json(one), proxies] for name, (one, proxies) in share.clusters.items()},
        "breakers": list(share.breakers),
        "judged": [
            {
                "policy_set": one.policy_set,
                "revision": one.revision,
                "stage": one.stage,
                "canary": _routes_json(one.canary),
                "rest": _routes_json(one.rest),
            }
            for one in share.judged
        ],
    }
    empty: dict[str, Json] = {"breakers": [], "endpoints": [], "clusters": {}, "totals": {}, "ends": {}}
    return body | {name: empty[name] for name in left_out}


def decoded(body: str) -> Share:
    """Return what a document says. Raise ValueError for what is none."""
    data = Fields.parse(body)
    if data.integer("format") != FORMAT:
        raise ValueError(f"a share in format {data.integer('format')}; this version knows {FORMAT}")
    return Share(
        run=data.text("run"),
        number=data.integer("number"),
        has_ended=data.flag("has_ended"),
        is_partial=data.flag("is_partial"),
        nodes={node: _node(value) for node, value in data.object("nodes").data.items()},
        ends={node: _end(value) for node, value in data.object("ends").data.items()},
        endpoints=dict(_endpoint(value) for value in data.values("endpoints")),
        open_breakers=data.integer("open_breakers"),
        grown=_routes(data.object("grown")),
        totals=_routes(data.object("totals")),
        clusters={name: _cluster(value) for name, value in data.object("clusters").data.items()},
        breakers=data.texts("breakers"),
        judged=tuple(
            Judged(
                policy_set=one.text("policy_set"),
                revision=one.integer("revision"),
                stage=one.integer("stage"),
                canary=_routes(one.object("canary")),
                rest=_routes(one.object("rest")),
            )
            for one in data.objects("judged")
        ),
    )


def _node(value: Json) -> NodeNumbers:
    match value:
        case [
            int(produced),
            int(dropped),
            int(connections),
            str(boot_id),
            int(spooled),
            int(size),
            int(most),
            int() | float() as age_s,
            int() | float() as silent_s,
        ]:
            return NodeNumbers(
                produced, dropped, connections, boot_id, spooled, size, most, float(age_s), float(silent_s)
            )
        case _:
            raise ValueError("the numbers of a proxy cannot be read")


def _end(value: Json) -> End:
    match value:
        case [str(run), dict(routes)]:
            read = Fields(routes)
            return End(run, {route: read.integers(route) for route in routes})
        case _:
            raise ValueError("how far a proxy is counted cannot be read")


def _endpoint(value: Json) -> tuple[tuple[str, str], EndpointSight]:
    match value:
        case [
            str(cluster),
            str(address),
            int(proxies),
            int(watched),
            int(ejected),
            int(alone),
            list(reasons),
        ]:
            said = tuple(reason for reason in reasons if isinstance(reason, str))
            return (cluster, address), EndpointSight(proxies, watched, ejected, alone, said)
        case _:
            raise ValueError("an endpoint cannot be read")


def _cluster(value: Json) -> tuple[ClusterCounters, int]:
    match value:
        case [dict(counters), int(proxies)]:
            return _cluster_counters(counters), proxies
        case _:
            raise ValueError("the numbers of a cluster cannot be read")


def _routes_json(routes: Mapping[str, Counters]) -> dict[str, Json]:
    return {route: _counters_json(counters) for route, counters in routes.items()}


def _routes(data: Fields) -> dict[str, Counters]:
    return {route: _counters(data.object(route).data) for route in data.data}


def _counters_json(counters: Counters | ClusterCounters) -> dict[str, Json]:
    """Return what is not zero, under the names of the fields."""
    found: dict[str, Json] = {}
    for one in fields(counters):
        value = getattr(counters, one.name)
        if isinstance(value, tuple):
            value = list(_trimmed(value))
        elif isinstance(value, Mapping):
            value = dict(value)
        if value:
            found[one.name] = value
    return found


def _trimmed(counts: tuple[int, ...]) -> Iterable[int]:
    length = next((index for index in range(len(counts), 0, -1) if counts[index - 1]), 0)
    return counts[:length]


def _counters(data: Mapping[str, Json]) -> Counters:
    read = _Reader(data)
    return Counters(
        by_code=read.integers("by_code"),
        retries=read.integer("retries"),
        budget_exhausted=read.integer("budget_exhausted"),
        rejected=read.integer("rejected"),
        fallbacks=read.integer("fallbacks"),
        cancelled=read.integer("cancelled"),
        recovered=read.integer("recovered"),
        latency_buckets=read.integers("latency_buckets"),
        latency_sum_s=read.number("latency_sum_s"),
        in_flight=read.integer("in_flight"),
        rejected_by=read.counts("rejected_by"),
        limited=read.counts("limited"),
        limited_by_criticality=read.counts("limited_by_criticality"),
        queued=read.integer("queued"),
        queue_wait_s=read.number("queue_wait_s"),
        hedges=read.integer("hedges"),
        hedges_won=read.integer("hedges_won"),
        hedges_refused=read.counts("hedges_refused"),
        hopeless=read.integer("hopeless"),
        wasted=read.integer("wasted"),
        wasted_s=read.number("wasted_s"),
        would=read.counts("would"),
    )


def _cluster_counters(data: Mapping[str, Json]) -> ClusterCounters:
    read = _Reader(data)
    return ClusterCounters(
        ejections=read.counts("ejections"),
        spared=read.counts("spared"),
        ejected=read.integer("ejected"),
        endpoints=read.integer("endpoints"),
        panics=read.integer("panics"),
    )


class _Reader:
    """Reads what `_counters_json` wrote: what is zero is missing; what a newer version adds is left out."""

    def __init__(self, data: Mapping[str, Json]) -> None:
        self._data = Fields(data)

    def integer(self, name: str) -> int:
        return self._data.integer(name) if name in self._data.data else 0

    def number(self, name: str) -> float:
        return self._data.number(name) if name in self._data.data else 0.0

    def integers(self, name: str) -> tuple[int, ...]:
        return self._data.integers(name) if name in self._data.data else ()

    def counts(self, name: str) -> dict[str, int]:
        found = self._data.object(name) if name in self._data.data else Fields({})
        return {key: found.integer(key) for key in found.data}
