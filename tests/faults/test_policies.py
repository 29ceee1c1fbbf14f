"""F23, F24: bad policies, and policies that change faster than anybody can follow."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

from seawall.client import AsyncSeawall
from seawall.client.documents import as_document
from seawall.v1 import admin_policies_pb2
from tests.faults.callers import stamps_of
from tests.faults.trial import Trial, eventually, times
from tests.kit.processes import PATIENCE_S
from tests.kit.rpc import stream_stream

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def bad(good: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return a document, as JSON of its message, that the control plane must refuse."""
    routes = [dict(good["routes"][0])]
    match kind:
        case "a cluster that is not there":
            routes[0]["cluster"] = "nowhere"
        case "two routes of one name":
            routes = routes * 2
        case "an unknown field":
            routes[0]["surprise"] = True
        case "an unknown word":
            return {**good, "policies": {"p": {"breaker": {"mode": "perhaps"}}}}
        case "an unknown number of a word":
            return {**good, "policies": {"p": {"breaker": {"mode": 77}}}}
        case "a number that is none":
            return {**good, "policies": {"p": {"retry": {"budget": {"percent": "NaN"}}}}}
        case "huge":
            routes = [
                {"name": f"r{n}", "match": {"service": f"a.S{n}"}, "cluster": "up", "policy": "p"}
                for n in range(20_000)
            ]
        case "everything deleted":
            routes = []
    return {**good, "routes": routes}


KINDS = {
    "a cluster that is not there": (400, "SW0202"),
    "two routes of one name": (400, "SW0201"),
    "an unknown field": (400, "surprise"),
    "an unknown word": (400, "perhaps"),
    "an unknown number of a word": (400, "mode"),
    "a number that is none": (400, "percent"),
    "huge": (400, "routes are allowed"),
    "everything deleted": (409, "allow_shrink"),
}
"""How the control plane refuses each: the status, and what it says. They are not sent with the client
library, which would refuse most of them itself.
"""


def posted(http: str, document: dict[str, Any]) -> tuple[int, str]:
    """Ask a control plane to make a document the newest revision; return status and answer."""
    request = urllib.request.Request(
        f"http://{http}/api/v1/seawall.v1.PolicyService/ApplyPolicy",
        json.dumps({"document": document, "author": "test"}).encode(),
        {"content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def refused_there(seawall: AsyncSeawall) -> None:
    """Wait until the control plane knows that its only proxy has refused the newest revision."""
    async with asyncio.timeout(2 * PATIENCE_S):
        while True:
            found = await seawall.policies.rollout()
            if [one.state for one in found.proxies] == [admin_policies_pb2.ROLLOUT_STATE_REJECTED]:
                return
            await asyncio.sleep(0.05)


async def test_f23_bad_policies(trial: Trial) -> None:
    """What the control plane can know to be bad changes nothing; what only the proxy finds out is refused by
    it once, whatever the stream goes through, and asked again only when an operator does.
    """
    proxy, link = await trial.follow()
    routes = [
        {"name": f"r{n}", "match": {"service": f"a.S{n}"}, "cluster": "up", "policy": "p"} for n in range(10)
    ]
    good = trial.document(trial.upstream_address)
    many = {**good, "routes": [*routes, *good["routes"]]}
    revision = await trial.apply(trial.stand.policy(many, "many.yaml"))
    await trial.in_force(proxy, revision)
    needy = trial.document(trial.upstream_address, fallback=[{"when": "any", "static": {"json": {"v": 1}}}])
    needy["routes"][0]["match"] = {"service": "any.Service", "method": "Unary"}
    needy["routes"] += routes
    async with trial.callers(rate=100) as callers, AsyncSeawall(f"127.0.0.1:{trial.control_port}") as seawall:
        assert trial.running is not None
        plain = json_format.MessageToDict(as_document(trial.stand.policy(many, "many.yaml")))
        for kind, (status, says) in KINDS.items():
            trial.fault(kind)
            code, answer = await asyncio.to_thread(posted, trial.running.http, bad(plain, kind))
            assert code == status and says in answer, f"{kind}: {code}: {answer[:1000]}"
            assert (await seawall.policies.revision()).revision == revision, kind
        trial.fault("refused by the proxy")
        refused = await trial.apply(trial.stand.policy(needy, "needy.yaml"))
        await eventually(
            lambda: proxy.status()["control"]["last_nack_revision"] == refused, "the proxy refuses"
        )
        await refused_there(seawall)
        for _ in range(3):
            before = proxy.status()["control"]["connects"]
            link.cut()
            await eventually(lambda: proxy.status()["control"]["connects"] > before, "it is back")  # noqa: B023
        trial.running.child.kill()
        control = await asyncio.to_thread(trial.control)
        await eventually(lambda: proxy.status()["control"]["connected"], "it is back")
        await callers.until(50)
        assert proxy.status()["policy"]["revision"] == revision
        # Asked for again it is sent again, and refused again; and then something good arrives.
        assert await trial.apply(trial.stand.policy(needy, "needy.yaml")) == refused
        await refused_there(seawall)
        last = await trial.apply(trial.stand.policy(good, "good.yaml"), allow_shrink=True)
        trial.note("healed", revision=last, nodes=["one"])
        await trial.in_force(proxy, last)
        await callers.until(20)
        assert callers.failed_otherwise == 0, callers.others
    assert control.child.process.poll() is None
    await trial.delivered(proxy)
    await trial.end(proxy)
    trial.verdict("I1", "I2", "I3", "I4", "I7", "I8", "X5")


AT_ONCE = 10
"""Changes that are asked for at the same time, so that they come fast on any machine."""
LONGEST_S = 600.0
"""Longer than all changes take, for streams that are open meanwhile."""


async def stream(
    trial: Trial, channel: grpc.aio.Channel, job: str, first: asyncio.Event, done: asyncio.Event
) -> None:
    """Open a stream, and say something in it when the first event comes, and again when the second does."""
    note = trial.caller()
    note("began", job=job, deadline_s=LONGEST_S, once=True)
    call: Any = stream_stream(channel, "/any.Service/Chat")(timeout=LONGEST_S, metadata=(("x-job-id", job),))
    code, stamps = "OK", []
    try:
        # Without this the call begins with its first message.
        await call.wait_for_connection()
        for event in (first, done):
            await event.wait()
            await call.write(b"x")
            assert await call.read() == b"x"
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        stamps = stamps_of(await call.initial_metadata(), await call.trailing_metadata())
        code = (await call.code()).name
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        code = (await call.code()).name
    note("ended", job=job, code=code, stamps=stamps)
    assert code == "OK", f"{job} has ended before the test: {await call.details()}"


async def test_f24_policies_that_change_all_the_time(trial: Trial) -> None:
    """Some hundred changes, as fast as they are taken, under open streams and short calls: each call is under
    one policy, pushes are fewer than changes, and nothing stays behind in the processes.
    """
    proxy, _ = await trial.follow()

    def stamped(number: int) -> Path:
        document = trial.document(trial.upstream_address, stamp=str(number), timeout=f"{LONGEST_S:g}s")
        return trial.stand.policy(document, f"next-{number % 10}.yaml")

    await trial.apply(stamped(0))
    await trial.in_force(proxy, 2)
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(trial.listen, options=options) for _ in range(times(2, 20))]
    now, later, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
    now.set()
    streams = [
        asyncio.create_task(
            stream(trial, channels[n % len(channels)], f"stream-{n}", now if n % 2 else later, done)
        )
        for n in range(times(100, 1000))
    ]
    async with trial.callers(rate=50) as callers, AsyncSeawall(f"127.0.0.1:{trial.control_port}") as seawall:
        await callers.until(20)
        assert trial.running is not None
        for child in (proxy.child, trial.running.child):
            trial.resources(child, "before")
        revision = 0
        trial.fault("churn")
        for start in range(0, times(100, 1000), AT_ONCE):
            documents = [stamped(number) for number in range(start + 1, start + AT_ONCE + 1)]
            for applied in await asyncio.gather(*map(seawall.policies.apply, documents)):
                revision = max(revision, applied.revision.revision)
                trial.published(applied.revision.revision, applied.revision.hash)
        trial.note("healed", revision=revision, nodes=["one"])
        await trial.in_force(proxy, revision)
        later.set()
        done.set()
        await callers.until(20)
        assert callers.failed_otherwise == 0, callers.others
    await asyncio.gather(*streams)
    for channel in channels:
        await channel.close()
    await asyncio.sleep(0.5)
    for child in (proxy.child, trial.running.child):
        trial.resources(child, "after")
    await trial.delivered(proxy)
    await trial.end(proxy)
    verdict = trial.verdict("I1", "I3", "I4", "I5", "I7", "I8", "I9")
    assert verdict.findings["I5"].looked_at >= len(streams)
    assert verdict.findings["X5"].looked_at < revision, "pushes are debounced"
