"""The admin client for asyncio. `sync` is its twin, word for word; a test holds the two together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from types import TracebackType
from typing import Final, Self, TypeVar

from google.protobuf.message import Message

from seawall.client import calls
from seawall.client.access_aio import AsyncAccess
from seawall.client.calls import Call
from seawall.client.credentials import Credentials
from seawall.client.documents import DocumentSource
from seawall.client.fleet_operations import AsyncFleetOperations
from seawall.client.rollouts import AsyncRollouts
from seawall.client.run_aio import AsyncRun
from seawall.v1.admin_events_pb2 import (
    ExportEventsResponse,
    GetEventStatsResponse,
    GetEventTimelineResponse,
    ReportEventsResponse,
    TailEventsResponse,
)
from seawall.v1.admin_fleet_pb2 import GetSystemHealthResponse, Proxy, ProxyCommandResult
from seawall.v1.admin_policies_pb2 import (
    ApplyPolicyResponse,
    DescribePolicyResponse,
    DiffPolicyResponse,
    GetRolloutResponse,
    Revision,
    Violation,
)
from seawall.v1.admin_rollouts_pb2 import RolloutStrategy
from seawall.v1.event_pb2 import ErrorEvent
from seawall.v1.stats_pb2 import BreakerStatus, ClusterStats, RouteStats

R = TypeVar("R", bound=Message)

_PAGE: Final = 200


class AsyncPolicies:
    """Policies, their revisions and their rollout; see `AsyncSeawall.policies`. `policy_set` "" is the
    default set.
    """

    def __init__(self, run: AsyncRun) -> None:
        self._run = run

    async def validate(self, document: DocumentSource, *, policy_set: str = "") -> Sequence[Violation]:
        """Check a document, with what it extends and with the sets that extend `policy_set`, with the
        compiler that the proxies use; return its mistakes and warnings.
        """
        return (await self._run.unary(calls.validate(document, policy_set=policy_set))).violations

    async def apply(
        self,
        document: DocumentSource,
        *,
        message: str = "",
        etag: str = "",
        policy_set: str = "",
        validate_only: bool = False,
        request_id: str = "",
        author: str = "",
        rollout: RolloutStrategy | None = None,
        supersede: bool = False,
        allow_shrink: bool = False,
    ) -> ApplyPolicyResponse:
        """Make a document (a message, a mapping, or the path of a file) the newest revision, pushed to every
        proxy of the set.

        `etag` is the hash of the revision that the change is based on: `Conflict` when that is no longer the
        newest. `Invalid` carries every mistake of the document. A repeated `request_id` returns the first
        answer. With `rollout` (see `client.rollouts.strategy`) it goes out by stages. While a rollout is
        under way, `NotPossibleNow` unless it is to be superseded. So is a
        document that takes more than half of at least 10 routes away, unless `allow_shrink`.
        """
        call = calls.apply(
            document,
            policy_set=policy_set,
            etag=etag,
            validate_only=validate_only,
            request_id=request_id,
            author=author,
            message=message,
            rollout=rollout,
            supersede=supersede,
            allow_shrink=allow_shrink,
        )
        return await self._run.unary(call)

    async def diff(
        self,
        document: DocumentSource | None = None,
        *,
        from_revision: int = 0,
        to_revision: int = 0,
        policy_set: str = "",
    ) -> DiffPolicyResponse:
        """Compare `document`, or revision `to_revision`, with revision `from_revision` (0: the newest)."""
        call = calls.diff(
            document, policy_set=policy_set, from_revision=from_revision, to_revision=to_revision
        )
        return await self._run.unary(call)

    async def describe(
        self, document: DocumentSource | None = None, *, revision: int = 0, policy_set: str = ""
    ) -> DescribePolicyResponse:
        """Return a revision (0: the newest), or `document` as it would be, with everything that it extends
        written out, and where each setting comes from.
        """
        return await self._run.unary(calls.describe(document, policy_set=policy_set, revision=revision))

    async def revision(self, number: int = 0, *, policy_set: str = "") -> Revision:
        """Return a revision with its document; 0 is the newest. `NotFound` when there is none."""
        return (await self._run.unary(calls.get_revision(number, policy_set=policy_set))).revision

    async def history(self, *, limit: int = 100, policy_set: str = "") -> AsyncIterator[Revision]:
        """Yield up to `limit` revisions without their documents, newest first."""
        token, left = "", limit
        while left > 0:
            page = await self._run.unary(calls.list_revisions(min(left, _PAGE), token, policy_set=policy_set))
            for revision in page.revisions[:left]:
                yield revision
            left -= len(page.revisions)
            token = page.next_page_token
            if not token:
                return

    async def rollback(
        self,
        revision: int = 0,
        *,
        message: str = "",
        etag: str = "",
        policy_set: str = "",
        validate_only: bool = False,
        request_id: str = "",
        author: str = "",
    ) -> Revision:
        """Make an older revision's content the newest revision; 0 is the one before the newest."""
        call = calls.rollback(
            revision,
            policy_set=policy_set,
            etag=etag,
            validate_only=validate_only,
            request_id=request_id,
            author=author,
            message=message,
        )
        return (await self._run.unary(call)).revision

    async def rollout(self, *, policy_set: str = "") -> GetRolloutResponse:
        """Return what every proxy made of the newest revision."""
        return await self._run.unary(calls.get_rollout(policy_set=policy_set))


class AsyncEvents:
    """Error events; see `AsyncSeawall.events`. AIP-160 filters: `severity = HIGH AND resolved = false`."""

    def __init__(self, run: AsyncRun) -> None:
        self._run = run

    async def report(self, events: Iterable[ErrorEvent]) -> ReportEventsResponse:
        """Store events (at most 500 and 1 MiB); returns when they are on disk. Each id is stored once, so
        repeating is safe.
        """
        return await self._run.unary(calls.report(events))

    async def get(self, event_id: str) -> ErrorEvent:
        """Return one event; `NotFound` when there is none."""
        return (await self._run.unary(calls.get_event(event_id))).event

    async def list(
        self,
        filter: str = "",  # noqa: A002 (the API's word)
        *,
        limit: int = 100,
        oldest_first: bool = False,
    ) -> AsyncIterator[ErrorEvent]:
        """Yield up to `limit` events that match `filter`, newest first, asking for a page at a time."""
        order, token, left = "timestamp" if oldest_first else "timestamp desc", "", limit
        while left > 0:
            page = await self._run.unary(calls.list_events(filter, min(left, _PAGE), token, order_by=order))
            for event in page.events[:left]:
                yield event
            left -= len(page.events)
            token = page.next_page_token
            if not token:
                return

    async def update(self, event: ErrorEvent, update_mask: Sequence[str] = ("*",)) -> ErrorEvent:
        """Change severity, job_id, job_name, details, resolved or resolution of the event that `event.id`
        names.
        """
        return (await self._run.unary(calls.update_event(event, update_mask))).event

    async def resolve(
        self,
        ids: Sequence[str] = (),
        *,
        filter: str = "",  # noqa: A002 (the API's word)
        resolution: str = "",
        validate_only: bool = False,
    ) -> int:
        """Mark events as dealt with, by id or every unresolved one that matches `filter`; return how many
        were unresolved.
        """
        call = calls.resolve_events(ids, filter_=filter, resolution=resolution, validate_only=validate_only)
        return (await self._run.unary(call)).resolved

    async def stats(self) -> GetEventStatsResponse:
        """Return counts: total, unresolved, by severity, last 24 hours."""
        return await self._run.unary(calls.event_stats())

    async def delete_resolved(self, older_than: calls.Seconds, *, validate_only: bool = False) -> int:
        """Delete resolved events older than an age (seconds or timedelta, at least 1 s); return how many."""
        return (await self._run.unary(calls.delete_resolved(older_than, validate_only=validate_only))).deleted

    def tail(
        self,
        filter: str = "",  # noqa: A002 (the API's word)
        *,
        backlog: int = 0,
        timeout_s: float = calls.TAIL_TIMEOUT_S,
    ) -> AsyncIterator[TailEventsResponse]:
        """Yield new events as they are stored, after `backlog` of the newest ones; ends after `timeout_s`.

        `skipped` in an answer counts events that were left out before it since this reader was too slow.
        """
        return self._run.stream(calls.tail_events(filter, backlog, timeout_s=timeout_s))

    async def history(
        self, *, job_id: str = "", trace_id: str = "", limit: int = 100
    ) -> AsyncIterator[ErrorEvent]:
        """Yield up to `limit` events of one job or one trace, oldest first."""
        token, left = "", limit
        while left > 0:
            page = await self._run.unary(calls.entity_history(job_id, trace_id, min(left, _PAGE), token))
            for event in page.events[:left]:
                yield event
            left -= len(page.events)
            token = page.next_page_token
            if not token:
                return

    async def timeline(
        self,
        *,
        window: calls.Seconds = 86_400.0,
        step: calls.Seconds | None = None,
        group_by: Sequence[str] = (),
        route: str = "",
    ) -> GetEventTimelineResponse:
        """Return exact counts over time, told apart by fields of `group_by` (component, route, method, code,
        category, severity, kind, outcome); `step` is a minute, an hour or a day.
        """
        return await self._run.unary(calls.event_timeline(window, step, group_by, route))

    def export(
        self,
        filter: str = "",  # noqa: A002 (the API's word)
        *,
        format: str = "ndjson",  # noqa: A002 (the API's word)
        limit: int = 0,
        timeout_s: float = calls.TAIL_TIMEOUT_S,
    ) -> AsyncIterator[ExportEventsResponse]:
        """Yield a file of the events that match, newest first, in parts: `format` is ndjson, csv or json,
        `limit` 0 means all.
        """
        return self._run.stream(calls.export_events(filter, format, limit, timeout_s=timeout_s))


class AsyncOperations:
    """The fleet: proxies, statistics, breakers, health; see `AsyncSeawall.operations`. `proxy` "" means all
    of them.
    """

    def __init__(self, run: AsyncRun) -> None:
        self._run = run

    async def proxies(self, *, limit: int = 1000) -> AsyncIterator[Proxy]:
        """Yield the known proxies by name."""
        token, left = "", limit
        while left > 0:
            page = await self._run.unary(calls.list_proxies(min(left, _PAGE), token))
            for proxy in page.proxies[:left]:
                yield proxy
            left -= len(page.proxies)
            token = page.next_page_token
            if not token:
                return

    async def proxy(self, node: str) -> Proxy:
        """Return one proxy; `NotFound` when it never connected."""
        return (await self._run.unary(calls.get_proxy(node))).proxy

    async def stats(self, *, window: calls.Seconds = 10.0, proxy: str = "") -> Sequence[RouteStats]:
        """Return statistics of routes over the last `window` (1 s to 10 min) and since the start."""
        page = await self._run.unary(calls.route_stats(proxy, window))
        found = list(page.routes)
        while page.next_page_token:
            page = await self._run.unary(calls.route_stats(proxy, window, page.next_page_token))
            found += page.routes
        return found

    async def clusters(self, *, proxy: str = "") -> Sequence[ClusterStats]:
        """Return statistics of clusters by name: outliers, and what was done about them, since the start."""
        page = await self._run.unary(calls.cluster_stats(proxy))
        found = list(page.clusters)
        while page.next_page_token:
            page = await self._run.unary(calls.cluster_stats(proxy, page.next_page_token))
            found += page.clusters
        return found

    async def breakers(self, *, proxy: str = "") -> Sequence[BreakerStatus]:
        """Return the breakers by name, then proxy."""
        page = await self._run.unary(calls.list_breakers(proxy))
        found = list(page.breakers)
        while page.next_page_token:
            page = await self._run.unary(calls.list_breakers(proxy, page.next_page_token))
            found += page.breakers
        return found

    async def reset_breaker(
        self, breaker: str, *, proxy: str = "", reason: str = "", actor: str = ""
    ) -> Sequence[ProxyCommandResult]:
        """Close a breaker and forget its window; return what every proxy said. `actor` is who wants it;
        empty is the user of this process.
        """
        return (await self._run.unary(calls.reset_breaker(breaker, proxy, reason, actor))).results

    async def trip_breaker(
        self,
        breaker: str,
        *,
        duration: calls.Seconds = 300.0,
        reason: str = "",
        proxy: str = "",
        actor: str = "",
    ) -> Sequence[ProxyCommandResult]:
        """Hold a breaker open for `duration` (1 s to 24 h), then let it probe; return what every proxy
        said.
        """
        return (await self._run.unary(calls.trip_breaker(breaker, proxy, duration, reason, actor))).results

    async def hold_breaker(
        self,
        breaker: str,
        state: str,
        *,
        duration: calls.Seconds = 300.0,
        reason: str = "",
        proxy: str = "",
        actor: str = "",
    ) -> Sequence[ProxyCommandResult]:
        """Let everything pass a breaker for `duration` (1 s to 24 h): `state` is "disabled" (unwatched) or
        "metrics_only" (watched and counted). Return what every proxy said; raise ValueError for another
        state.
        """
        return (
            await self._run.unary(calls.hold_breaker(breaker, proxy, state, duration, reason, actor))
        ).results

    async def health(self) -> GetSystemHealthResponse:
        """Return the health of the control plane and what it knows of, with the reasons."""
        return await self._run.unary(calls.system_health())


class AsyncSeawall:
    """A connection to a control plane. Use it with `async with`, or call `aclose`."""

    def __init__(
        self,
        target: str = calls.DEFAULT_TARGET,
        *,
        timeout_s: float = calls.DEFAULT_TIMEOUT_S,
        credentials: Credentials | None = None,
    ) -> None:
        """`target` is the control plane's gRPC address; `timeout_s` the deadline of each RPC; `credentials`
        default to those of the environment (SEAWALL_TOKEN and others). Connects on first use. Raise
        `BadCredentials` for files that cannot be read.
        """
        self._run = AsyncRun(target, timeout_s, credentials or Credentials.from_environment())
        self.target = target
        self.policies = AsyncPolicies(self._run)
        self.rollouts = AsyncRollouts(self._run)
        self.fleet_operations = AsyncFleetOperations(self._run)
        self.events = AsyncEvents(self._run)
        self.operations = AsyncOperations(self._run)
        self.access = AsyncAccess(self._run)

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self.aclose()

    async def call(
        self, method: str, request: Message, response: type[R], *, timeout_s: float | None = None
    ) -> R:
        """Send any unary RPC of `seawall.v1`, such as one that has no method here: `method` is
        `/seawall.v1.Service/Method`, `response` the class of the answer; None means the usual deadline.
        """
        return await self._run.unary(Call(method, request, response, timeout_s))

    async def pages(
        self, method: str, request: Message, response: type[R], *, timeout_s: float | None = None
    ) -> AsyncIterator[R]:
        """Send an RPC that lists, and yield its answers page by page; see `call`."""
        call: Call[R] | None = Call(method, request, response, timeout_s)
        while call is not None:
            answer = await self._run.unary(call)
            yield answer
            call = calls.next_page(call, answer)

    def follow(
        self, method: str, request: Message, response: type[R], *, timeout_s: float | None = None
    ) -> AsyncIterator[R]:
        """Send any RPC of `seawall.v1` that answers with a stream, and yield its answers; see `call`. None
        means an hour.
        """
        return self._run.stream(Call(method, request, response, timeout_s or calls.TAIL_TIMEOUT_S))

    async def aclose(self) -> None:
        """Close the connection; running calls end."""
        await self._run.aclose()
