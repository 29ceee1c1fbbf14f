"""The proxy against peers that mean harm, while a good client goes on calling."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import grpc
import hpack
import psutil
import pytest
import yaml

from tests.kit.processes import PATIENCE_S, wait_until
from tests.kit.rpc import stream_stream
from tests.kit.stand import Proxy, Stand

pytestmark = pytest.mark.integration

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
ENHANCE_YOUR_CALM = 11
SOON_S = 5.0
"""What nobody has to wait beyond, also on a machine that others use."""


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Return one frame."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream_id.to_bytes(4, "big") + payload


def block(*fields: tuple[str, str]) -> bytes:
    """Return a header block that leaves the dynamic table alone."""
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    return encoder.encode(list(fields))


def request(path: str) -> bytes:
    """Return the header block of a gRPC request."""
    return block(
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "x"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    )


def document(address: str, timeout: str = "30s", **policy: object) -> dict[str, object]:
    """Return a document with one route."""
    return {
        "clusters": [{"name": "up", "endpoints": [address]}],
        "policies": {"p": {"timeout": timeout, "breaker": {"mode": "off"}, **policy}},
        "routes": [{"name": "all", "match": {}, "cluster": "up", "policy": "p"}],
    }


def connect(proxy: Proxy) -> socket.socket:
    """Open a raw connection that has said its preface."""
    host, _, port = proxy.address.rpartition(":")
    raw = socket.create_connection((host, int(port)), timeout=PATIENCE_S)
    raw.sendall(PREFACE + frame(SETTINGS, 0, 0))
    return raw


def attack(raw: socket.socket, data: bytes) -> bytes:
    """Send, as far as the proxy takes it, and return everything that it said until it closed."""
    said = b""
    with raw:
        with suppress(OSError):
            raw.sendall(data)
        try:
            while piece := raw.recv(65536):
                said += piece
        except ConnectionError:
            pass
    return said


def goaway_code(said: bytes) -> int:
    """Return the code of the GOAWAY among frames; -1 without one."""
    while len(said) >= 9:
        length = int.from_bytes(said[:3], "big")
        if said[3] == GOAWAY:
            return int.from_bytes(said[13:17], "big")
        said = said[9 + length :]
    return -1


class GoodClient:
    """Calls without a pause; remembers what went wrong and how long the longest took."""

    def __init__(self, address: str) -> None:
        self.calls = 0
        self.failures: list[str] = []
        self.longest_s = 0.0
        self._address = address
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Call for the length of the block."""
        self._thread.start()
        wait_until(lambda: self.calls > 5, "the good client is served")
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        with grpc.insecure_channel(self._address) as channel:
            call: Callable[..., bytes] = channel.unary_unary("/good.Good/Unary")
            while not self._stop.wait(0.005):
                began = time.monotonic()
                try:
                    call(b"hello", timeout=60)
                except grpc.RpcError as error:
                    self.failures.append(str(error))
                self.calls += 1
                self.longest_s = max(self.longest_s, time.monotonic() - began)


def descriptors(proxy: Proxy) -> int:
    """Return how many file descriptors the proxy has open."""
    return int(psutil.Process(proxy.child.process.pid).num_fds())


def assert_empty(proxy: Proxy) -> None:
    """Wait until nothing is in flight anywhere."""

    def empty() -> bool:
        status = proxy.status()
        clusters = status["clusters"].values()
        return (
            status["calls_in_flight"] == 0
            and status["replay_bytes"] == 0
            and all(cluster["in_flight"] == 0 for cluster in clusters)
            and all(endpoint["in_flight"] == 0 for cluster in clusters for endpoint in cluster["endpoints"])
        )

    wait_until(empty, "nothing is in flight")


def test_floods_cost_the_attacker_and_nobody_else(stand: Stand) -> None:
    """Rapid reset (CVE-2023-44487), CONTINUATION, PING and SETTINGS floods end their connection with
    ENHANCE_YOUR_CALM; a good client on the same upstream notices nothing.
    """
    _, address = stand.upstream()
    proxy = stand.proxy(stand.policy(document(address)))
    good = GoodClient(proxy.address)
    head = request("/evil.Evil/Unary")
    cancel = struct.pack(">I", 8)
    floods = [
        b"".join(
            frame(HEADERS, 4, 2 * n + 1, head) + frame(RST_STREAM, 0, 2 * n + 1, cancel) for n in range(5000)
        ),
        frame(HEADERS, 0, 1, head) + frame(CONTINUATION, 0, 1) * 10_000,
        frame(PING, 0, 0, b"12345678") * 20_000,
        frame(SETTINGS, 0, 0) * 20_000,
    ]
    with good.calling():
        for flood in floods:
            began = time.monotonic()
            said = attack(connect(proxy), flood)
            assert time.monotonic() - began < SOON_S
            assert goaway_code(said) in (ENHANCE_YOUR_CALM, -1), said[-200:]
    assert good.failures == []
    assert good.longest_s < SOON_S
    assert_empty(proxy)


def test_a_flood_of_rejected_requests_starves_nobody(stand: Stand) -> None:
    """A hundred thousand requests that are answered at the door, written at once: others are served between
    them.
    """
    _, address = stand.upstream()
    proxy = stand.proxy(stand.policy(document(address)))
    good = GoodClient(proxy.address)
    head = request("/bad")
    raw = connect(proxy)
    reader = threading.Thread(target=lambda: attack(raw, b""))
    with good.calling():
        reader.start()
        raw.sendall(b"".join(frame(HEADERS, 5, 2 * n + 1, head) for n in range(100_000)))
        before = good.calls
        wait_until(lambda: good.calls >= before + 20, "the good client is served meanwhile")
        # The proxy may have ended the connection, and the reader closed it.
        with suppress(OSError):
            raw.shutdown(socket.SHUT_RDWR)
        reader.join(PATIENCE_S)
    assert good.failures == []
    assert good.longest_s < SOON_S


def test_clients_that_vanish_leave_nothing(stand: Stand) -> None:
    """Two hundred clients that go away in the middle of calls of every kind, half of them with a reset,
    leave no call, permit, byte or descriptor behind.
    """
    _, address = stand.upstream()
    proxy = stand.proxy(stand.policy(document(address)))
    wait_until(lambda: proxy.status()["connections"] == 0, "no client yet")
    before = descriptors(proxy)
    for _ in range(2):
        clients = []
        for number in range(200):
            raw = connect(proxy)
            method = ("Silent", "Chat", "Repeat")[number % 3]
            message = frame(DATA, 0 if method == "Chat" else 1, 1, b"\0\0\0\0\x05hello")
            raw.sendall(frame(HEADERS, 4, 1, request(f"/s.S/{method}")) + message)
            clients.append(raw)
        wait_until(lambda: proxy.status()["calls_in_flight"] >= 100, "calls are in flight")
        for number, raw in enumerate(clients):
            if number % 2:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raw.close()
        assert_empty(proxy)
        wait_until(lambda: proxy.status()["connections"] == 0, "no client is left")
    # The admin's own connections come and go.
    wait_until(lambda: descriptors(proxy) <= before + 3, "descriptors are closed")


class EvilUpstream:
    """Speaks HTTP/2 up to the first request, then says what it is told to."""

    def __init__(self, answer: Callable[[int], bytes]) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._accepts = threading.Thread(target=self._accept, daemon=True)
        self._accepts.start()

    def close(self) -> None:
        """End it with its connections, also one that is being accepted right now."""
        # Wakes `accept`, which a mere close would not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepts.join(PATIENCE_S)
        self._listener.close()
        for raw in self._open:
            raw.close()

    def _accept(self) -> None:
        try:
            while True:
                raw, _ = self._listener.accept()
                self._open.append(raw)
                threading.Thread(target=self._serve, args=(raw,), daemon=True).start()
        except OSError:
            return

    def _serve(self, raw: socket.socket) -> None:
        try:
            raw.sendall(frame(SETTINGS, 0, 0))
            with raw.makefile("rb") as stream:
                stream.read(len(PREFACE))
                while head := stream.read(9):
                    stream.read(int.from_bytes(head[:3], "big"))
                    if head[3] == HEADERS:
                        raw.sendall(self._answer(int.from_bytes(head[5:9], "big")))
        except OSError:
            return


ANSWERS: dict[str, tuple[Callable[[int], bytes], set[grpc.StatusCode]]] = {
    "hpack garbage": (lambda n: frame(HEADERS, 5, n, b"\xff" * 12), {grpc.StatusCode.UNAVAILABLE}),
    "random bytes": (lambda _: b"\xf3\x1c\x9a" * 3000, {grpc.StatusCode.UNAVAILABLE}),
    "push promise": (lambda n: frame(5, 4, n, b"\0\0\0\2\x88"), {grpc.StatusCode.UNAVAILABLE}),
    "continuation flood": (
        lambda n: frame(HEADERS, 0, n, b"\x88") + frame(CONTINUATION, 0, n) * 200,
        {grpc.StatusCode.UNAVAILABLE},
    ),
    "ping flood": (lambda _: frame(PING, 0, 0, b"12345678") * 5000, {grpc.StatusCode.UNAVAILABLE}),
    "data before headers": (lambda n: frame(DATA, 1, n, b"x"), {grpc.StatusCode.INTERNAL}),
    "no status": (lambda n: frame(HEADERS, 5, n, block(("content-type", "a"))), {grpc.StatusCode.INTERNAL}),
    "a web page": (
        lambda n: frame(HEADERS, 4, n, block((":status", "200"), ("content-type", "text/html"))),
        {grpc.StatusCode.UNKNOWN},
    ),
    "interim answers without end": (
        lambda n: frame(HEADERS, 4, n, block((":status", "103"))) * 200,
        {grpc.StatusCode.RESOURCE_EXHAUSTED},
    ),
    "an unknown reset code": (
        lambda n: frame(RST_STREAM, 0, n, b"\xde\xad\xbe\xef"),
        {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL},
    ),
}


def test_an_upstream_that_talks_garbage_harms_its_own_calls_only(stand: Stand) -> None:
    """Whatever an upstream answers, its calls end with a mapped status within their deadline, and calls to
    another upstream go on.
    """
    _, address = stand.upstream()
    evils = [EvilUpstream(answer) for answer, _ in ANSWERS.values()]
    policy = document(address, timeout="60s")
    policy["clusters"] = [
        {"name": "up", "endpoints": [address]},
        *({"name": f"e{n}", "endpoints": [evil.address]} for n, evil in enumerate(evils)),
    ]
    policy["routes"] = [
        *(
            {"name": f"r{n}", "match": {"service": f"e.E{n}"}, "cluster": f"e{n}", "policy": "p"}
            for n in range(len(evils))
        ),
        {"name": "all", "match": {}, "cluster": "up", "policy": "p"},
    ]
    proxy = stand.proxy(stand.policy(policy))
    good = GoodClient(proxy.address)
    try:
        with good.calling(), grpc.insecure_channel(proxy.address) as channel:
            for number, (name, (_, expected)) in enumerate(ANSWERS.items()):
                proxy.wait_for_endpoints(f"e{number}", 1)
                call: Callable[..., bytes] = channel.unary_unary(f"/e.E{number}/Unary")
                with pytest.raises(grpc.RpcError) as caught:
                    call(b"hello", timeout=50)
                assert caught.value.code() in expected, name
    finally:
        for evil in evils:
            evil.close()
    assert good.failures == []
    assert good.longest_s < SOON_S
    assert_empty(proxy)


def test_a_drain_ends_at_its_limit(stand: Stand) -> None:
    """Fifty streams are open when the proxy is told to stop: those that end, end well; the one that never
    does is cut off at the limit, with a status, and the proxy leaves with 0.
    """
    _, address = stand.upstream()
    config = stand.policy(document(address, timeout="60s"))
    proxy = stand.proxy(config, "--drain-grace", "0.5", "--drain-limit", "4")

    async def scenario() -> tuple[list[grpc.StatusCode], grpc.StatusCode, float]:
        async with grpc.aio.insecure_channel(proxy.address) as channel:
            calls = [stream_stream(channel, "/s.S/Chat")() for _ in range(50)]
            for call in calls:
                await call.write(b"x")
                assert await call.read() == b"x"
            began = time.monotonic()
            proxy.child.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.2)
            for call in calls[1:]:
                await call.done_writing()
            codes = [await call.code() for call in calls[1:]]
            last = await calls[0].code()
            await asyncio.to_thread(proxy.child.process.wait, PATIENCE_S)
            return codes, last, time.monotonic() - began

    codes, last, took_s = asyncio.run(scenario())
    assert codes == [grpc.StatusCode.OK] * 49
    assert last == grpc.StatusCode.UNAVAILABLE
    assert 3.8 < took_s < 60.0
    assert proxy.child.process.returncode == 0


def test_reloads_under_load_leak_nothing(stand: Stand) -> None:
    """A hundred reloads that change endpoints, limits and timeouts while calls flow: no call fails, and
    connections and descriptors are as many as before.
    """
    _, first = stand.upstream("a")
    _, second = stand.upstream("b")
    config = stand.policy(document(first))
    proxy = stand.proxy(config)
    base = yaml.safe_load(config.read_text())
    good = GoodClient(proxy.address)
    with good.calling():
        before = descriptors(proxy)
        for number in range(100):
            endpoints = ([first, second], [first], [second], [second, first])[number % 4]
            base["clusters"] = [{"name": "up", "endpoints": endpoints, "max_in_flight": 100 + number % 3}]
            base["policies"]["p"]["timeout"] = f"{60 + number % 7}s"
            new = config.with_suffix(".new")
            new.write_text(yaml.safe_dump(base))
            new.replace(config)
            proxy.child.process.send_signal(signal.SIGHUP)
            time.sleep(0.02)
        proxy.wait_for_endpoints("up", 2)
        wait_until(lambda: descriptors(proxy) <= before + 4, "descriptors are closed")
    assert good.failures == []
    assert_empty(proxy)
    assert len(proxy.status()["clusters"]["up"]["endpoints"]) == 2
