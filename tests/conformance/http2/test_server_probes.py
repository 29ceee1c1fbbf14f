"""The server role against the probes: the engine in memory, and a whole proxy over TCP."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.headers import BlockCache
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.opening import HTTP_1_ANSWER
from tests.conformance.http2.echo_server import EchoConnection
from tests.conformance.http2.probe_kit import MARKER, ConnectionFault, Expectation, Probe, Speaker
from tests.conformance.http2.server_probes import PROBES
from tests.kit.processes import PATIENCE_S, ROOT, environment, wait_until
from tests.kit.stand import Proxy, Stand
from tests.unit.http2.wire import ACK, PING, PREFACE, SETTINGS, Frame, frame, split_frames

OPENING = PREFACE + frame(SETTINGS, 0, 0) + frame(SETTINGS, ACK, 0)
LIMIT_S = 60.0


def test_every_probe_has_a_name_of_its_own() -> None:
    """A report names one rule by one name, and there are not fewer of them than in the public suite."""
    assert len({probe.id for probe in PROBES}) == len(PROBES)
    assert len(PROBES) >= 147


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.id)
@pytest.mark.parametrize("step", [1, 1 << 20], ids=["octet by octet", "whole"])
def test_engine(probe: Probe, step: int) -> None:
    """`Connection` in the server role does what the RFC asks, however the octets are cut."""
    connection = Connection(
        is_client=False, limits=Limits(), handler=EchoConnection(grpc=True), cache=BlockCache(), dirty=[]
    )
    connection.start(100.0)
    speaker = Speaker()
    frames: list[Frame] = []

    def say(data: bytes) -> None:
        for at in range(0, len(data), step):
            connection.receive(data[at : at + step], 100.0)
        frames.extend(split_frames(connection.take_output()))

    say(OPENING)
    for part in probe.steps:
        if callable(part):
            say(part(speaker))
        else:
            assert part.seen(frames), f"{part} before the next step: {frames}"
    say(frame(PING, 0, 0, MARKER))
    assert probe.expect.seen(frames), frames
    assert connection.closed is isinstance(probe.expect, ConnectionFault)


class RawClient:
    """A client of frames over a socket."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=LIMIT_S)
        self.frames: list[Frame] = []
        self._rest = b""
        self.closed = False

    def send(self, data: bytes) -> None:
        """Send, unless the other side has closed meanwhile: what it said before is still there to be read."""
        with contextlib.suppress(OSError):
            self.socket.sendall(data)

    def wait_for(self, wanted: Expectation, until: float) -> bool:
        """Read until what is wanted was seen, or the other side closed, or time is up."""
        while not wanted.seen(self.frames) and not self.closed and time.monotonic() < until:
            try:
                data = self.socket.recv(65536)
            except OSError:
                data = b""
            self.closed = not data
            self._take(data)
        return wanted.seen(self.frames)

    def _take(self, data: bytes) -> None:
        data = self._rest + data
        while len(data) >= 9 and len(data) >= 9 + int.from_bytes(data[:3], "big"):
            size = 9 + int.from_bytes(data[:3], "big")
            self.frames += split_frames(data[:size])
            data = data[size:]
        self._rest = data


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """Run one proxy before one echoing upstream for all probes."""
    folder: Path = tmp_path_factory.mktemp("probes")
    upstream = subprocess.Popen(
        [sys.executable, "-m", "tests.conformance.http2.echo_server", "--grpc"],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
    )
    stand = Stand(folder)
    try:
        assert upstream.stdout is not None
        address = f"127.0.0.1:{int(upstream.stdout.readline())}"
        yield stand.proxy(
            stand.policy(
                {
                    "clusters": [{"name": "echo", "endpoints": [address]}],
                    "routes": [{"name": "all", "match": {}, "cluster": "echo"}],
                }
            )
        )
    finally:
        stand.close()
        upstream.kill()
        upstream.wait(PATIENCE_S)
        if upstream.stdout is not None:
            upstream.stdout.close()


@pytest.mark.integration
def test_whole_proxy(proxy: Proxy) -> None:
    """Every probe holds for a proxy process with a real upstream behind it, too."""
    failed = []
    for probe in PROBES:
        client = RawClient(proxy.address)
        with client.socket:
            until = time.monotonic() + LIMIT_S
            speaker = Speaker()
            client.send(OPENING)
            for step in probe.steps:
                if callable(step):
                    client.send(step(speaker))
                else:
                    client.wait_for(step, until)
            client.send(frame(PING, 0, 0, MARKER))
            if not client.wait_for(probe.expect, until):
                failed.append((probe.id, client.frames, client.closed))
    assert not failed, "\n".join(map(str, failed))


@pytest.mark.integration
@pytest.mark.parametrize(
    ("first", "answer", "reason"),
    [
        (b"GET / HTTP/1.1\r\nhost: a\r\nupgrade: h2c\r\n\r\n", HTTP_1_ANSWER, "HTTP/1.x"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32), b"", "TLS"),
    ],
)
def test_other_protocols(proxy: Proxy, first: bytes, answer: bytes, reason: str) -> None:
    """HTTP/1.x gets a readable 426, TLS nothing; both are closed and counted with their reason."""
    client = RawClient(proxy.address)
    said = b""
    with client.socket:
        client.send(first)
        while data := client.socket.recv(65536):
            said += data
    assert said == answer
    wait_until(lambda: reason in str(proxy.status()), f"{reason} is counted")
