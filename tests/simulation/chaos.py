"""A proxy among random clients, servers and policies, in virtual time, with what must hold checked at each
step.

Everything random comes from one seed. Parameters are drawn from tiny ranges, so that limits are met all
the time. Each call carries an id, each body is a text that only this call can have, and each answer names
the request that it answers, so that whatever arrives anywhere can be judged for itself.
"""

from __future__ import annotations

from math import inf
from random import Random

from seawall_policy.breaker import PER_ENDPOINT, PER_METHOD, PER_ROUTE, BreakerOptions
from seawall_policy.budget import BudgetOptions, ConcurrencyBudget, ThrottleOptions
from seawall_policy.deadline import DeadlineOptions, parse_grpc_timeout
from seawall_policy.fault import FaultOptions
from seawall_policy.hedge import ENFORCE, SHADOW, HedgeOptions
from seawall_policy.journal import IdempotencyOptions, JournalOptions
from seawall_policy.last_good import LastGoodOptions
from seawall_policy.limit.options import AIMD, GRADIENT2, KNEE, NONE, LimitOptions
from seawall_policy.model import (
    BALANCE_LEAST_REQUEST,
    BALANCE_ROUND_ROBIN,
    ClusterSpec,
    FallbackStep,
    MethodInfo,
    Policy,
    Snapshot,
)
from seawall_policy.outlier.options import LatencyOptions, OutlierOptions
from seawall_policy.rate import RateLimitOptions
from seawall_policy.retry import RetryOptions
from seawall_proxy.call.attempt import Attempt
from seawall_proxy.http2.errors import CANCEL, ENHANCE_YOUR_CALM, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM
from seawall_proxy.http2.limits import Limits
from seawall_proxy.testing.network import Wire
from seawall_proxy.testing.peers import RESPONSE_FIELDS, Client, ClientCall, Server, ServerCall
from seawall_proxy.testing.playbook import request_fields
from seawall_proxy.testing.policies import (
    make_cluster,
    make_policy,
    make_route,
    make_snapshot,
    to_cluster,
    to_empty,
    to_last_good,
    to_method,
    to_static,
)
from seawall_proxy.testing.world import World
from tests.simulation.accounts import Accounts
from tests.simulation.verdict import STATIC, Book, Request, judge

PATHS = ("/s.A/Unary", "/s.A/Server", "/s.A/Client", "/s.A/Bidi", "/s.B/Any")
METHODS = {
    b"/s.A/Unary": MethodInfo(False, False, False),
    b"/s.A/Server": MethodInfo(False, True, False),
    b"/s.A/Client": MethodInfo(True, False, True),
    b"/s.A/Bidi": MethodInfo(True, True, False),
}
SLACK_S = 0.0175
"""A far timer is rounded up to 16 ms and fires within the next millisecond."""
CODES = (0, 0, 0, 4, 5, 8, 13, 14, 14, 14, 14)
KEY = b"x-key"
CLASS = b"x-class"


class Chaos:
    """One run."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.trace: list[str] = []
        pick = self.random.choice
        self.server_limits = Limits(stream_window_bytes=pick((0, 0, 70, 300)))
        self.client_limits = Limits(stream_window_bytes=pick((0, 0, 70, 300)))
        self.peer_limits = Limits(stream_window_bytes=pick((0, 0, 70, 300)))
        self.keyed = pick((0.0, 0.2, 0.8))
        """Share of the calls that have an idempotency key."""
        self.paths = pick((PATHS, PATHS, PATHS[:1]))
        self.codes = pick((CODES, CODES, (0, 0, 0, 0, 14)))
        self.revision = 0
        self.world = World(
            draw=self.random.random,
            start=pick((0.0, 1000.0, 123456.789)),
            server_limits=self.server_limits,
            client_limits=self.client_limits,
        )
        self.servers: dict[str, Server] = {}
        for address in ("a", "b", "c", "dr"):
            limits = Limits(
                stream_window_bytes=self.peer_limits.stream_window_bytes,
                max_concurrent_streams=pick((1, 2, 3, 100, 100)),
            )
            self.servers[address] = Server(address, self.world, self._ignore, limits)
        self.snapshots: dict[int, Snapshot] = {}
        self.clients: list[Client] = []
        self.probes: dict[str, int] = {}
        """Probes in flight at the last look, by route."""
        self.books: dict[bytes, Book] = {}
        self.by_request: dict[int, Request] = {}
        self.accounts = Accounts(self.world)
        self.swap()
        for number in range(pick((1, 2))):
            self.add_client(f"client{number}")
        for server in self.servers.values():
            server.answer_dials()
        self.world.pump()

    def _ignore(self, who: str, what: str) -> None:
        self.trace.append(f"{self.world.now:.4f} {who} <- {what}")

    def note(self, text: str) -> None:
        """Write down a step, for the report of a failure."""
        self.trace.append(f"{self.world.now:.4f} {text}")

    # random values

    def random_snapshot(self) -> Snapshot:
        """Draw a policy."""
        pick = self.random.choice
        policy = self._random_policy()
        shadow = pick((None, None, self._random_policy()))
        self.revision += 1
        authority = b"rev-%d" % self.revision
        return make_snapshot(
            make_route(policy, name="one", service="s.A", idempotent=pick((True, False)), shadow=shadow),
            make_route(policy, name="rest", idempotent=pick((True, False)), shadow=shadow),
            clusters={"main": self._random_cluster(authority), "dr": make_cluster("dr", ("dr",), authority=authority)},
            methods=pick(({}, METHODS)),
            revision=self.revision,
        )

    def _random_policy(self) -> Policy:
        pick = self.random.choice
        return make_policy(
            timeout_s=pick((inf, inf, 0.05, 0.3, 2.0)),
            per_try_timeout_s=pick((inf, inf, inf, 0.02, 0.2)),
            retry=self._random_retry(),
            breaker=self._random_breaker(),
            fallback=self._random_fallback(),
            deadline=pick((None, DeadlineOptions(pick((0.0, 0.005)), pick((ENFORCE, SHADOW)), 50.0))),
            hedge=self._random_hedge(),
            idempotency=self._random_keys(),
            fault=self._random_fault(),
            limit=self._random_limit(),
            rate_limit=pick(
                (
                    None,
                    None,
                    None,
                    RateLimitOptions(
                        pick((0.5, 20.0)),
                        pick((1, 3)),
                        pick(((), ("peer",), ("method", "metadata:x-key"))),
                        pick((1, 100)),
                        pick((ENFORCE, SHADOW)),
                    ),
                )
            ),
        )

    def _random_cluster(self, authority: bytes) -> ClusterSpec:
        pick = self.random.choice
        spec = make_cluster(
            "main",
            tuple(self.random.sample(("a", "b", "c"), pick((1, 1, 2, 3)))),
            balance=pick((BALANCE_LEAST_REQUEST, BALANCE_ROUND_ROBIN)),
            max_in_flight=pick((1, 3, 100, 100, 100, 100)),
            connect_timeout_s=pick((0.05, 1.0)),
            authority=authority,
        )
        spec.max_in_flight_per_endpoint = pick((0, 0, 0, 1, 3))
        spec.outlier = pick(
            (
                None,
                None,
                OutlierOptions(
                    mode=pick((ENFORCE, ENFORCE, SHADOW)),
                    interval_s=pick((0.02, 0.5)),
                    consecutive=pick((0, 1, 2)),
                    consecutive_local=pick((0, 1, 2)),
                    latency=LatencyOptions(silence_s=pick((0.01, 0.2)), min_calls=1),
                    ejection_s=pick((0.05, 0.5)),
                    max_ejected=pick((0.0, 0.5, 1.0)),
                ),
            )
        )
        return spec

    def _random_retry(self) -> RetryOptions:
        pick = self.random.choice
        budget = pick(
            (
                None,
                None,
                BudgetOptions(percent=20, min_per_second=pick((0.0, 0.2, 10.0))),
                BudgetOptions(percent=50, concurrent=True, min_concurrent=pick((0, 1))),
            )
        )
        return RetryOptions(
            max_attempts=pick((1, 2, 3, 4, 5)),
            codes=pick((1 << 14, 1 << 14 | 1 << 4 | 1 << 8)),
            initial_s=pick((0.0, 0.002, 0.01, 0.05)),
            max_s=pick((0.05, 1.0)),
            only_idempotent=pick((True, False)),
            budget=budget,
            max_unsent=pick((0, 1, 5)),
            throttle=pick((None, None, ThrottleOptions(pick((2.0, 10.0)), 0.5))),
        )

    def _random_breaker(self) -> BreakerOptions | None:
        pick = self.random.choice
        if self.random.random() < 0.75:
            return None
        return BreakerOptions(
            size=pick((2, 5)),
            min_calls=pick((1, 2)),
            failure_rate=pick((50.0, 100.0)),
            consecutive=pick((0, 1, 3)),
            open_for_s=pick((0.05, 0.5)),
            half_open_calls=pick((1, 2)),
            success_threshold=pick((1, 2)),
            half_open_timeout_s=pick((0.0, 0.3)),
            scope=pick((PER_ROUTE, PER_ROUTE, PER_METHOD, PER_ENDPOINT)),
            ramp_for_s=pick((0.0, 0.0, 0.4)),
            ramp_from=pick((10.0, 50.0)),
        )

    def _random_fallback(self) -> tuple[FallbackStep, ...]:
        pick = self.random.choice
        steps: list[FallbackStep] = []
        good = LastGoodOptions(
            pick((0.1, 60.0)), pick((True, False)), pick(((), (KEY,))), pick((1, 100)), shared=pick((True, False))
        )
        for _ in range(pick((0, 0, 0, 1, 2, 3))):
            codes = pick((1 << 14, 1 << 14 | 1 << 4, 0x1FFFE))
            reasons = pick((frozenset[str](), frozenset({"BREAKER_OPEN", "PER_TRY_TIMEOUT", "QUEUE_TIMEOUT"})))
            kind = pick(("cluster", "cluster", "static", "method", "last_good", "empty"))
            if kind == "cluster":
                steps.append(to_cluster("dr", codes, reasons))
            elif kind == "static":
                steps.append(to_static(STATIC, pick(PATHS).encode(), codes, reasons))
            elif kind == "method":
                steps.append(to_method("/s.A/Other", pick(("", "dr")), codes, reasons))
            elif kind == "last_good":
                steps.append(to_last_good(good, codes, reasons))
            else:
                steps.append(to_empty(codes, reasons))
        return tuple(steps)

    def _random_hedge(self) -> HedgeOptions | None:
        pick = self.random.choice
        return pick(
            (
                None,
                None,
                HedgeOptions(
                    delay_s=pick((0.0, 0.001, 0.01, 0.05)),
                    max_attempts=pick((2, 3, 5)),
                    budget_percent=pick((0.0, 50.0, 100.0)),
                    non_fatal=pick((1 << 14, 1 << 14 | 1 << 13 | 1 << 8)),
                    only_idempotent=pick((True, False, False)),
                    mode=pick((ENFORCE, ENFORCE, ENFORCE, SHADOW)),
                ),
                HedgeOptions(quantile=0.9, budget_percent=100.0, only_idempotent=False),
            )
        )

    def _random_keys(self) -> IdempotencyOptions | None:
        pick = self.random.choice
        journal = JournalOptions(pick((0.1, 60.0)), pick((1, 2, 100)), pick((300, 1 << 20)), ())
        return pick(
            (
                None,
                IdempotencyOptions(
                    KEY, pick((True, False)), pick((True, False)), pick((None, journal, journal, journal))
                ),
            )
        )

    def _random_fault(self) -> FaultOptions | None:
        pick = self.random.choice
        if self.random.random() < 0.7:
            return None
        return FaultOptions(
            until_s=self.world.now + pick((0.1, 1.0, 5.0)),
            abort_share=pick((0.0, 0.2, 1.0)),
            abort_code=pick((14, 14, 8, 13)),
            delay_share=pick((0.0, 0.3)),
            delay_s=pick((0.0, 0.005, 0.1)),
            bandwidth_share=pick((0.0, 0.3)),
            stream_share=pick((0.0, 0.3)),
            stream_kind=pick((1, 2, 3)),
            stream_after=pick((0, 1, 2)),
            stream_code=pick((14, 13)),
            max_active=pick((1, 3, 100)),
        )

    def _random_limit(self) -> LimitOptions | None:
        pick = self.random.choice
        if self.random.random() < 0.6:
            return None
        return LimitOptions(
            kind=pick((NONE, NONE, NONE, AIMD, GRADIENT2, KNEE)),
            max_in_flight=pick((1, 2, 3)),
            min_in_flight=1,
            initial=pick((1, 3)),
            queue=pick((0, 1, 2, 10)),
            queue_timeout_s=pick((0.002, 0.05, 1.0)),
            header=CLASS,
            criticality=pick((0, 1, 2, 3)),
            shares=pick(((0.0, 0.0, 0.0, 0.0), (0.5, 0.2, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))),
            mode=pick((ENFORCE, ENFORCE, ENFORCE, SHADOW)),
        )

    # what can happen

    def swap(self) -> None:
        """Push a policy."""
        snapshot = self.random_snapshot()
        self.snapshots[snapshot.revision] = snapshot
        self.note(f"policy {snapshot.revision}")
        self.world.apply(snapshot)
        self.accounts.look()
        if self.random.random() < 0.7:
            self.world.clusters.warm()
        self.world.batch()

    def add_client(self, name: str) -> None:
        """Connect a client."""
        limits = Limits(stream_window_bytes=self.peer_limits.stream_window_bytes)
        self.clients.append(Client(name, self.world, self._ignore, limits))
        self.world.pump()

    def new_call(self) -> None:
        """Start a call."""
        pick = self.random.choice
        client = pick(self.clients)
        if not client.connection.can_open:
            return
        ident = b"%d" % len(self.books)
        body = (b"<body of call " + ident + b">") * pick((0, 1, 1, 3, 30))
        fields = [(b"x-id", ident)]
        if self.random.random() < self.keyed:
            key = pick((b"k1", b"k2", b"k3", b"k" * 257))
            fields.append((KEY, key))
            body = (b"<body of key " + key[:2] + b">") * pick((0, 1, 1, 1, 1, 1, 1, 1, 3, 100))
        if self.random.random() < 0.3:
            fields.append((CLASS, pick((b"critical_plus", b"sheddable", b"nonsense"))))
        timeout = (
            pick((b"", b"", b"", b"", b"10m", b"80m", b"1S", b"1S")) if self.random.random() < 0.98 else b"0n"
        )
        path = pick(self.paths)
        book = Book(ClientCall(f"call{ident.decode()}", self._ignore), path, body, client)
        self.books[ident] = book
        at_once = self.random.random() < 0.6
        ends = at_once and not body
        never = (b"x-id", KEY) if self.random.random() < 0.9 else ()
        client.call(book.call, request_fields(path, fields, timeout), ends, never)
        book.closed = ends
        self.note(f"{book.call.name} -> {path} {timeout.decode()}")
        if at_once and body:
            self._client_send(book, len(body), end=True)

    def _client_send(self, book: Book, size: int, *, end: bool) -> None:
        piece = book.body[book.offset : book.offset + size]
        book.offset += len(piece)
        book.closed = end
        book.call.send(piece, end)

    def client_step(self) -> None:
        """Let a client say more, end, cancel, or change its mind about reading."""
        open_books = [book for book in self.books.values() if not book.call.ended and not book.lost]
        if not open_books:
            return
        book = self.random.choice(open_books)
        what = self.random.random()
        if what < 0.06:
            self.note(f"{book.call.name} -> cancel")
            book.cancelled = True
            book.call.cancel()
        elif what < 0.15:
            book.call.reading = False
        elif what < 0.45:
            book.call.resume()
        elif not book.closed:
            size = self.random.choice((1, 40, 1000))
            self._client_send(book, size, end=book.offset + size >= len(book.body))

    def _requests(self) -> list[Request]:
        found: list[Request] = []
        for server in self.servers.values():
            for seen in server.calls:
                request = self.by_request.get(id(seen))
                if request is None:
                    request = self._judge_request(seen, server)
                if not seen.answered and seen.reset_code is None:
                    found.append(request)
        return found

    def server_step(self) -> None:
        """Let a server go on with a request."""
        open_requests = self._requests()
        if not open_requests:
            return
        pick = self.random.choice
        request = pick(open_requests)
        seen = request.seen
        what = self.random.random()
        if what < 0.05:
            seen.reading = False
        elif what < 0.15:
            seen.resume()
        elif what < 0.27:
            code = pick(
                (
                    REFUSED_STREAM,
                    REFUSED_STREAM,
                    REFUSED_STREAM,
                    REFUSED_STREAM,
                    CANCEL,
                    INTERNAL_ERROR,
                    ENHANCE_YOUR_CALM,
                    NO_ERROR,
                )
            )
            self.note(f"{seen.name} -> reset {code}")
            request.refused = code == REFUSED_STREAM and not request.headers_sent
            if code == REFUSED_STREAM and request.headers_sent:
                code = CANCEL
            seen.put_reset(code)
        elif what < 0.6 and not request.headers_sent:
            self._answer(request, pick(self.codes))
        elif not request.headers_sent:
            self._headers(request)
        elif what < 0.8:
            self._data(request)
        else:
            self._trailers(request, pick(self.codes))

    def _answer(self, request: Request, code: int) -> None:
        if self.random.random() < 0.5:
            self.note(f"{request.seen.name} -> trailers-only {code}")
            request.code = code
            fields = (
                *RESPONSE_FIELDS,
                (b"grpc-status", b"%d" % code),
                (b"x-from", request.seen.name.encode()),
            )
            request.seen.put_trailers_only(fields)
            return
        self._headers(request)
        self._data(request)
        self._trailers(request, code)

    def _headers(self, request: Request) -> None:
        request.headers_sent = True
        self.note(f"{request.seen.name} -> headers")
        request.seen.put_headers((*RESPONSE_FIELDS, (b"x-from", request.seen.name.encode())))

    def _data(self, request: Request) -> None:
        text = b"[%s says %d]" % (request.seen.name.encode(), len(request.data))
        text *= self.random.choice((1, 1, 5, 40))
        piece = b"\0" + len(text).to_bytes(4, "big") + text
        request.data += piece
        self.note(f"{request.seen.name} -> {len(piece)} bytes")
        request.seen.put_data(piece)

    def _trailers(self, request: Request, code: int) -> None:
        request.code = code
        self.note(f"{request.seen.name} -> trailers {code}")
        request.seen.put_trailers(((b"grpc-status", b"%d" % code), (b"x-from", request.seen.name.encode())))

    def host_step(self) -> None:
        """Let a host change its mind, go away, or answer dials."""
        server = self.random.choice(list(self.servers.values()))
        what = self.random.random()
        if what < 0.6:
            server.answer_dials()
            self.world.batch()
            return
        if what < 0.7:
            server.mode = self.random.choice(
                (
                    "accept",
                    "accept",
                    "accept",
                    "accept",
                    "accept",
                    "accept",
                    "refuse",
                    "silent",
                    "blackhole",
                    "hang_up",
                )
            )
            self.note(f"{server.address} -> {server.mode}")
        elif what < 0.73:
            self.note(f"{server.address} -> cut")
            server.cut()
        elif what < 0.78:
            self._goaway(server)

    def _goaway(self, server: Server) -> None:
        self._requests()
        for connection in server.open_connections():
            ids = sorted(
                request.seen.stream.id
                for request in self.by_request.values()
                if request.connection_id == id(connection.connection)
                and not request.headers_sent
                and not request.seen.answered
                and request.seen.reset_code is None
            )
            last = ids[0] - 1 if ids and self.random.random() < 0.5 else -1
            self.note(f"{server.address} -> goaway {last}")
            # A server that excludes a stream has not looked at it.
            if last >= 0 and any(
                request.seen.stream.id > last and (request.headers_sent or request.seen.answered)
                for request in self.by_request.values()
                if request.connection_id == id(connection.connection)
            ):
                last = -1
            for request in self.by_request.values():
                if (
                    last >= 0
                    and request.connection_id == id(connection.connection)
                    and request.seen.stream.id > last
                ):
                    request.refused = True
                    request.seen.answered = True
            connection.connection.goaway(NO_ERROR, last)

    def move_bytes(self) -> None:
        """Deliver some bytes, or all of them."""
        if self.random.random() < 0.7:
            for server in self.servers.values():
                server.answer_dials()
            self.world.batch()
        self.world.collect()
        if self.random.random() < 0.4:
            self.world.pump()
            return
        if not self.world.wires:
            return
        for _ in range(self.random.choice((1, 3, 10))):
            wire = self.random.choice(self.world.wires)
            self._move(wire)
            self.world.collect()
            if not self.world.wires:
                return

    def _move(self, wire: Wire) -> None:
        most = self.random.choice((-1, -1, -1, 1, 9, 50))
        if self.random.random() < 0.5:
            wire.deliver_near(self.world.now, most)
        else:
            wire.deliver_far(self.world.now, most)
        self.world.batch()

    def pass_time(self) -> None:
        """Let time pass, timer by timer; bytes stay where they are."""
        jump = self.random.choice((0.0, 0.0005, 0.001, 0.001, 0.004, 0.004, 0.01, 0.01, 0.02, 0.1, 1.1))
        until = self.world.now + jump
        while self.world.next_event() <= until:
            self.world.fire(self.world.next_event())
            self.check_deadlines()
        self.world.fire(until)

    def lose_client(self) -> None:
        """Close a client's connection and open another."""
        client = self.random.choice(self.clients)
        self.note(f"{client.name} -> gone")
        self.clients.remove(client)
        for book in self.books.values():
            book.lost = book.lost or (book.client is client and not book.call.ended)
        client.connection.terminate(NO_ERROR, "bye")
        self.add_client(client.name + "'")

    def step(self) -> None:
        """Let one thing happen, then look."""
        what = self.random.random()
        if what < 0.1:
            self.new_call()
        elif what < 0.2:
            self.client_step()
        elif what < 0.45:
            self.server_step()
        elif what < 0.55:
            self.host_step()
        elif what < 0.84:
            self.move_bytes()
        elif what < 0.985:
            self.pass_time()
        elif what < 0.997:
            self.swap()
        else:
            self.lose_client()
        self.check()

    # what must hold

    def check_deadlines(self) -> None:
        """No call outlives its deadline."""
        now = self.world.now
        alive = [call for call in self.world.calls if not call.finished]
        self.world.calls[:] = alive
        for call in alive:
            assert now <= call.deadline + SLACK_S, (
                f"a call is alive {now - call.deadline} s after its deadline"
            )

    def check(self) -> None:
        """Check what holds at any moment."""
        self.check_deadlines()
        world = self.world
        assert world.context.calls == len(world.calls)
        assert world.context.replay_bytes >= 0
        assert world.context.replay_bytes == sum(call.replay_size for call in world.calls)
        table = world.context.table
        assert table is not None
        self.accounts.check()
        for state in table.states.values():
            for breaker in state.breakers():
                assert breaker.surplus_returns == 0
                # A policy that lowers the limit finds probes that the one before it let through.
                allowed = max(breaker.options.half_open_calls, self.probes.get(breaker.key, 0))
                assert 0 <= breaker.probes_in_flight <= allowed
                self.probes[breaker.key] = breaker.probes_in_flight
        for cluster in world.clusters.clusters.values():
            # Calls of an older policy keep its limit, and count with those of the one in force.
            limits = [s.clusters[cluster.name].max_in_flight for s in self.snapshots.values()]
            assert 0 <= cluster.in_flight <= max(limits)
            spares = [spare for spare in cluster.load.spares if isinstance(spare, Attempt)]
            assert len(spares) == len(cluster.load.spares)
            assert all(not spare.done for spare in spares), "a hedge that is over holds a place"
            assert all(endpoint.in_flight >= 0 for endpoint in cluster.endpoints)
            assert all(len(endpoint.links) <= 8 for endpoint in cluster.endpoints)
        for call in world.calls:
            running = [] if call.attempt is None else [*(call.others or ()), call.attempt]
            assert call.others is None or call.others, "others without one"
            assert call.others is None or not call.committed
            assert all(not attempt.done for attempt in running)
            assert len(running) <= call.state.most_attempts
            if call.decision is not None and not call.in_fallback:
                assert call.decision.attempts <= call.state.most_attempts
        for server in self.servers.values():
            for connection in server.connections:
                guard = connection.connection.guard
                assert guard.refused_streams == 0, f"{server.address} was sent more streams than it allows"
        for book in self.books.values():
            assert book.call.ends <= 1, f"{book.call.name} ended {book.call.ends} times"

    def _judge_request(self, seen: ServerCall, server: Server) -> Request:
        request = Request(seen, server, id(seen.stream.connection))
        self.by_request[id(seen)] = request
        ident = seen.field(b"x-id")
        assert ident is not None
        book = self.books[ident]
        book.requests.append(request)
        timeout = seen.field(b"grpc-timeout")
        if timeout is not None:
            left = parse_grpc_timeout(timeout)
            assert left > 0.0, f"{seen.name} was begun after its deadline"
            earlier = [other.seen.field(b"grpc-timeout") for other in book.requests[:-1]]
            assert all(value is not None for value in earlier)
        return request

    # the end

    def finish(self) -> None:
        """Let everything come to its end, then judge every call."""
        self.note("-- calm --")
        for server in self.servers.values():
            server.mode = "accept"
        for book in self.books.values():
            if not book.call.ended and not book.lost:
                book.call.resume()
                if not book.closed:
                    self._client_send(book, len(book.body), end=True)
        for _ in range(12):
            self._calm()
            if all(book.call.ended or book.lost for book in self.books.values()):
                break
        for book in self.books.values():
            if not book.call.ended and not book.lost:
                raise AssertionError(f"{book.call.name} has no end")
        self._requests()
        for _ in range(70):
            if self.world.context.timers.armed() == 0:
                break
            self._calm()
        left = self.world.leftovers() + self.accounts.leftovers()
        assert not left, "; ".join(left)
        assert self.world.context.table is not None
        for budget in self.world.context.table.budgets.values():
            if isinstance(budget, ConcurrencyBudget):
                assert (budget.calls, budget.retries) == (0, 0)
        assert self.world.context.timers.armed() == 0, f"{self.world.context.timers.armed()} timers are left"
        everyone = {
            request.seen.name.encode(): request for book in self.books.values() for request in book.requests
        }
        for book in self.books.values():
            judge(book, self.snapshots, everyone)

    def _calm(self) -> None:
        for _ in range(3):
            self.world.pump()
            for server in self.servers.values():
                server.answer_dials()
                self.world.batch()
            for request in self._requests():
                request.seen.resume()
                if request.headers_sent:
                    self._trailers(request, 0)
                else:
                    self._answer(request, 0)
            self.world.pump()
        until = self.world.now + 1.0
        while self.world.next_event() <= until:
            self.world.fire(self.world.next_event())
            self.world.pump()
            for server in self.servers.values():
                server.answer_dials()
                self.world.batch()
            self.world.pump()
        self.world.fire(until)


def run(seed: int, steps: int = 120) -> Chaos:
    """Play one seed to its end."""
    chaos = Chaos(seed)
    try:
        for _ in range(steps):
            chaos.step()
        chaos.finish()
    except BaseException as error:
        error.add_note("\n".join(chaos.trace[-60:]))
        error.add_note(f"seed {seed}: SEED={seed} pytest tests/simulation")
        raise
    return chaos
