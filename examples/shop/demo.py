"""The demonstration: a shop behind Seawall, broken in several ways, and what its callers see of it.

`make demo` runs this. It starts four service processes, `seawall up` (control plane and proxy) with a data
directory of its own, and a steady load; then it kills an endpoint, makes another slow, fails a whole route,
pushes a policy, and lists what was recorded. It ends by itself in about a minute and exits with 1 if
something that it promised did not happen.

Environment: KEEP=1 stays up afterwards; RATE sets the calls per second (default 60).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from examples.shop import shop_pb2
from examples.shop.load import Load, Outcome, Tally, merge
from examples.shop.processes import Processes, free_port, run_command
from examples.shop.view import Picture, View
from seawall.cli import render, shapes
from seawall.cli.http import answers
from seawall.client import AsyncSeawall, SeawallError

HERE = Path(__file__).parent
POLICY = HERE / "shop.yaml"
READY_WITHIN_S = 40.0
SLOW_MS = 2000
PROMISED_SUCCESS = 0.999

PREVIEW = """
# Added by the demonstration: callers that ask for the preview get the next edition of the catalogue.
  - {name: preview, match: {service: shop.v1.CatalogService, metadata: [{name: x-preview, value: "yes"}]},
     cluster: preview, idempotent: true}
"""
PREVIEW_CLUSTER = """
  - name: preview
    endpoints: ["127.0.0.1:${env:SHOP_PREVIEW:-50054}"]

policies:"""


class Broken(Exception):
    """The demonstration cannot go on; the message says why."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens: the documented ports where they are free."""

    proxy: int
    admin: int
    grpc: int
    http: int
    catalog_1: int
    catalog_2: int
    orders: int
    preview: int

    @staticmethod
    def find() -> Ports:
        """Return free ports."""
        return Ports(*(free_port(port) for port in (8080, 8081, 9090, 9091, 50051, 50052, 50053, 50054)))

    def env(self) -> dict[str, str]:
        """Return what shop.yaml reads."""
        return {
            "SHOP_PORT": str(self.proxy),
            "SHOP_ADMIN_PORT": str(self.admin),
            "SHOP_CATALOG_1": str(self.catalog_1),
            "SHOP_CATALOG_2": str(self.catalog_2),
            "SHOP_ORDERS": str(self.orders),
            "SHOP_PREVIEW": str(self.preview),
            "SEAWALL_CONTROL": f"127.0.0.1:{self.grpc}",
        }


@dataclass
class Check:
    """Something that was promised, and whether it happened."""

    text: str
    ok: bool
    seen: str = ""


@dataclass
class Record:
    """What callers saw, by phase."""

    phase: str = ""
    second: Tally = field(default_factory=Tally)
    phases: dict[str, Tally] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Count one call, in this second and in this phase."""
        self.second.add(outcome)
        self.phases.setdefault(self.phase, Tally()).add(outcome)


class Demo:
    """One run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ports = Ports.find()
        self.env = self.ports.env()
        self.processes = Processes(directory, self.env)
        self.picture = Picture()
        self.view = View(self.picture)
        self.record = Record()
        self.seawall = AsyncSeawall(f"127.0.0.1:{self.ports.grpc}", timeout_s=2.0)
        self.checks: list[Check] = []
        self.begun = time.monotonic()
        self.number = 0
        self.breakers_seen: set[str] = set()

    # ---------------------------------------------------------------------------------------------- running

    async def run(self) -> int:
        """Run it all; return the exit code."""
        stop = asyncio.Event()
        load = Load(f"127.0.0.1:{self.ports.proxy}", _rate(), self.record.add)
        tasks: list[asyncio.Task[None]] = []
        try:
            with self.view:
                await self._start()
                tasks = [asyncio.create_task(load.run(stop)), asyncio.create_task(self._watch())]
                await self._phases()
                tasks[1].cancel()
            await self._results()
            if os.environ.get("KEEP", "") not in {"", "0"}:
                await self._stay()
        finally:
            stop.set()
            for task in tasks[1:]:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                async with asyncio.timeout(5):
                    await asyncio.gather(*tasks, return_exceptions=True)
            await self.seawall.aclose()
            await self.processes.stop_all()
        return 0 if all(check.ok for check in self.checks) else 1

    async def _start(self) -> None:
        ports = self.ports
        self.view.say("Starting the shop: two catalogues, orders and support, and `seawall up`.")
        for name in ("catalog-1", "catalog-2", "orders", "preview"):
            self._start_service(name)
        self.processes.start(
            "seawall",
            "seawall",
            *("--no-color", "up", "--config", str(POLICY), "--data-dir", str(self.directory / "data")),
            *("--grpc", f"127.0.0.1:{ports.grpc}", "--http", f"127.0.0.1:{ports.http}"),
        )
        await self._until(self._everything_answers, READY_WITHIN_S, "the shop and Seawall did not start")
        await self._until(
            self._proxy_connected, READY_WITHIN_S, "the proxy did not connect to the control plane"
        )
        self.view.say(
            f"Ready after {time.monotonic() - self.begun:.1f} s. Callers talk to 127.0.0.1:{ports.proxy}."
        )

    def _start_service(self, name: str) -> None:
        port = getattr(self.ports, name.replace("-", "_"))
        services = "orders,support" if name == "orders" else "catalog"
        arguments = ("--port", str(port), "--name", name, "--services", services)
        self.processes.start(name, "examples.shop.server", *arguments)

    async def _everything_answers(self) -> bool:
        died = self.processes.died()
        if died:
            raise Broken(f"{died[0]} ended at its start:\n{self.processes.tail(died[0])}")
        ports = self.ports
        for port in (ports.catalog_1, ports.catalog_2, ports.orders, ports.preview):
            if not await _listens(port):
                return False
        return await answers(f"127.0.0.1:{ports.admin}", "/ready")

    async def _proxy_connected(self) -> bool:
        try:
            rollout = await self.seawall.policies.rollout()
        except SeawallError:
            return False
        return rollout.connected == 1 and rollout.applied == 1

    async def _until(self, ready: Callable[[], Awaitable[bool]], within_s: float, otherwise: str) -> None:
        ends = time.monotonic() + within_s
        while not await ready():
            if time.monotonic() > ends:
                raise Broken(f"{otherwise} within {within_s:.0f} s:\n{self.processes.tail('seawall')}")
            await asyncio.sleep(0.1)

    async def _watch(self) -> None:
        """Read breakers and endpoints twice a second, and show a picture once a second."""
        for half in range(1_000_000):
            await asyncio.sleep(0.5)
            with contextlib.suppress(SeawallError):
                states = {
                    item.name: shapes.breaker_state(item.state)
                    for item in await self.seawall.operations.breakers()
                }
                self.picture.breakers = states
                self.breakers_seen.add(states.get("catalog", ""))
                proxies = [item async for item in self.seawall.operations.proxies()]
                self.picture.endpoints = [
                    (e.cluster, e.address, e.state) for p in proxies for e in p.endpoints
                ]
                rollout = await self.seawall.policies.rollout()
                if rollout.applied == rollout.connected:
                    self.picture.revision = rollout.revision
            if half % 2:
                self.picture.second, self.record.second = self.record.second, Tally()
                self.view.tick(time.monotonic() - self.begun)

    def _phase(self, name: str, title: str, explanation: str) -> None:
        self.number += 1
        self.record.phase = name
        self.view.begin(self.number, title, explanation)

    def _tally(self, *names: str) -> Tally:
        return merge(self.record.phases.get(name, Tally()) for name in names)

    def _check(self, text: str, ok: bool, seen: str = "") -> None:
        self.checks.append(Check(text, ok, seen))

    # ----------------------------------------------------------------------------------------------- phases

    async def _phases(self) -> None:
        self._phase(
            "healthy", "All is well", "Every call goes through the proxy, to two catalogue endpoints in turn."
        )
        await asyncio.sleep(5)
        await self._killed()
        await self._slow()
        await self._failing()
        await self._policy()

    async def _killed(self) -> None:
        self._phase(
            "killed",
            "catalog-1 is killed (kill -9)",
            "What was on its way there is repeated on catalog-2; new calls go there at once.",
        )
        self.processes.kill("catalog-1")
        await asyncio.sleep(6)
        self._phase("restarted", "catalog-1 is back", "The proxy notices by itself and uses both again.")
        self._start_service("catalog-1")
        await asyncio.sleep(4)
        tally = self._tally("killed", "restarted")
        self._check(
            "with one of two endpoints killed, callers see at least 99.9 % success",
            tally.calls > 0 and tally.success >= PROMISED_SUCCESS,
            f"{tally.success * 100:.2f} % of {tally.calls} calls",
        )
        back = self._tally("restarted").served_by["catalog-1"]
        self._check("the restarted endpoint is used again", back > 0, f"it served {back} calls")

    async def _slow(self) -> None:
        self._phase(
            "slow",
            f"catalog-2 is slow (every answer takes {SLOW_MS / 1000:g} s)",
            "A try gets 250 ms; then the call is tried on catalog-1, within its retry budget.",
        )
        await self._switch("catalog-2", mode=shop_pb2.MODE_SERVE, delay_ms=SLOW_MS)
        await asyncio.sleep(6)
        self._phase("fast", "catalog-2 is well again", "Both are used again.")
        await self._switch("catalog-2", mode=shop_pb2.MODE_SERVE)
        await asyncio.sleep(3)
        tally = self._tally("slow")
        worst = tally.percentile(0.99)
        self._check(
            "with one endpoint slow, callers see at least 99.9 % success",
            tally.calls > 0 and tally.success >= PROMISED_SUCCESS,
            f"{tally.success * 100:.2f} % of {tally.calls} calls",
        )
        self._check(
            f"and the slowness does not reach them: p99 well below {SLOW_MS / 1000:g} s",
            0 < worst < SLOW_MS / 2000,
            f"p99 {render.latency(worst)}",
        )
        retried = self._tally("killed", "slow").outcomes["retried"]
        self._check("retries saved calls", retried > 0, f"{retried} calls succeeded on a later try")

    async def _failing(self) -> None:
        self._phase(
            "failing",
            "Both catalogues fail",
            "The breaker opens and leaves them in peace; callers get the fallback that the policy holds.",
        )
        await self._switch_catalogs(mode=shop_pb2.MODE_FAIL, code="UNAVAILABLE")
        self.breakers_seen.clear()
        await asyncio.sleep(8)
        opened = self.breakers_seen & {"open"}
        tally = self._tally("failing")
        self._check(
            "the breaker of the failing route opened", bool(opened), ", ".join(sorted(self.breakers_seen))
        )
        fallbacks = tally.outcomes["fallback"]
        self._check(
            "callers got the fallback",
            fallbacks > 0,
            f"{fallbacks} times, {tally.success * 100:.2f} % success",
        )

        self._phase(
            "recovered",
            "Both work again",
            "The breaker lets a few calls probe, and closes when they succeed.",
        )
        await self._switch_catalogs(mode=shop_pb2.MODE_SERVE)
        begun = time.monotonic()
        with contextlib.suppress(Broken):
            await self._until(self._breaker_closed, 12, "the breaker did not close")
        took = time.monotonic() - begun
        closed = await self._breaker_closed()
        self._check("the breaker closed after recovery", closed, f"after {took:.1f} s")
        await asyncio.sleep(3)

    async def _breaker_closed(self) -> bool:
        with contextlib.suppress(SeawallError):
            return all(
                shapes.breaker_state(item.state) == "closed"
                for item in await self.seawall.operations.breakers()
                if item.name == "catalog"
            )
        return False

    async def _policy(self) -> None:
        self._phase(
            "policy",
            "A new policy is pushed: callers with `x-preview: yes` get the preview catalogue",
            "seawall apply shop-preview.yaml -m 'preview for those who ask'",
        )
        path = self.directory / "shop-preview.yaml"
        path.write_text(with_preview(POLICY.read_text("utf-8")), "utf-8")
        probing = asyncio.create_task(self._first_preview())
        code, output = await run_command(["apply", str(path), "-m", "preview for those who ask"], self.env)
        for text in output.splitlines():
            self.view.say(f"   │ {text}")
        self._check("every proxy acknowledged the new policy", code == 0, _last_line(output))
        try:
            async with asyncio.timeout(5):
                seen_at = await probing
            revision = await self.seawall.policies.revision()
            took = (seen_at - revision.create_time.ToDatetime(tzinfo=UTC)).total_seconds()
            seen = f"{max(0.0, took) * 1000:.0f} ms after it was stored"
            self._check("and it took effect within a second", took < 1, seen)
        except (TimeoutError, SeawallError) as error:
            probing.cancel()
            self._check("and it took effect within a second", False, f"not seen ({type(error).__name__})")
        await asyncio.sleep(2)
        tally = merge(self.record.phases.values())
        failed = tally.calls - tally.ok
        codes = ", ".join(f"{name} {number}" for name, number in tally.codes.items() if name != "OK")
        self._check(
            "over the whole run, callers saw at least 99.9 % success",
            tally.success >= PROMISED_SUCCESS,
            f"{failed} of {tally.calls} calls failed{': ' + codes if codes else ''}",
        )

    async def _first_preview(self) -> datetime:
        """Ask for the preview until it is what answers; return when that was."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.ports.proxy}") as channel:
            send = channel.unary_unary(
                "/shop.v1.CatalogService/ListItems",
                request_serializer=shop_pb2.ListItemsRequest.SerializeToString,
                response_deserializer=shop_pb2.ListItemsResponse.FromString,
            )
            while True:
                with contextlib.suppress(grpc.aio.AioRpcError):
                    answer = await send(
                        shop_pb2.ListItemsRequest(), timeout=2, metadata=(("x-preview", "yes"),)
                    )
                    if answer.served_by == "preview":
                        return datetime.now(UTC)
                await asyncio.sleep(0.02)

    async def _switch(self, name: str, **how: Any) -> None:
        port = getattr(self.ports, name.replace("-", "_"))
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            send = channel.unary_unary(
                "/shop.v1.SwitchService/SetSwitch",
                request_serializer=shop_pb2.SetSwitchRequest.SerializeToString,
                response_deserializer=shop_pb2.SetSwitchResponse.FromString,
            )
            await send(shop_pb2.SetSwitchRequest(**how), timeout=5)

    async def _switch_catalogs(self, **how: Any) -> None:
        await self._switch("catalog-1", **how)
        await self._switch("catalog-2", **how)

    # ---------------------------------------------------------------------------------------------- results

    async def _results(self) -> None:
        say = self.view.say
        for arguments in (
            ["stat", "--window", "60s"],
            ["events", "list", "--limit", "8"],
            ["events", "list", "--limit", "8", "--filter", "kind = BREAKER_OPENED OR kind = BREAKER_CLOSED"],
            ["events", "stats"],
        ):
            say()
            say(
                "$ seawall " + " ".join(f"'{word}'" if " " in word else word for word in arguments),
                "bold cyan",
            )
            _, output = await run_command(["-q", *arguments], self.env)
            say(output)
        await self._check_record()
        say()
        say("What was promised, and what happened", "bold")
        for check in self.checks:
            mark, style = ("✓", "green") if check.ok else ("×", "bold red")
            say(f"  {mark} {check.text}" + (f": {check.seen}" if check.seen else ""), style)
        say()
        done = sum(check.ok for check in self.checks)
        say(f"{done} of {len(self.checks)} hold, after {time.monotonic() - self.begun:.0f} s.", "bold")

    async def _check_record(self) -> None:
        """Check that what happened is on record: the breaker's steps, the saved calls, the degraded ones, the
        statistics.
        """
        wanted = ("BREAKER_OPENED", "BREAKER_CLOSED", "CALL_RECOVERED", "CALL_DEGRADED")
        found = []
        for kind in wanted:
            with contextlib.suppress(SeawallError):
                found.extend([kind async for _ in self.seawall.events.list(f"kind = {kind}", limit=1)])
        missing = [kind for kind in wanted if kind not in found]
        seen = (
            f"no {', '.join(missing)}" if missing else f"{(await self.seawall.events.stats()).total} events"
        )
        self._check("each step is on record as an event", not missing, seen)
        stats = {item.route: item for item in await self.seawall.operations.stats(window=60)}
        total = stats["catalog"].total if "catalog" in stats else None
        self._check(
            "and in the statistics",
            total is not None and total.fallbacks > 0 and total.retries > 0 and sum(total.by_code) > 0,
            ""
            if total is None
            else f"{sum(total.by_code)} calls, {total.retries} retries, {total.fallbacks} fallbacks",
        )

    async def _stay(self) -> None:
        ports, say = self.ports, self.view.say
        flag = "" if ports.grpc == 9090 else f" --control 127.0.0.1:{ports.grpc}"
        program = f"{Path(sys.executable).parent / 'seawall'}"
        say()
        say("Everything stays up, and so does the load. Try:", "bold")
        say(f"  {program} stat -w{flag}")
        say(f"  {program} events tail{flag}")
        say(f"  {program} breaker trip catalog --for 10s --reason 'trying it'{flag}")
        say(f"  {program} rollout history{flag}")
        say(f"  {program} rollout undo{flag}")
        say(f"  curl http://127.0.0.1:{ports.admin}/status")
        say("  kill -9 $(pgrep -f 'shop.server.*--name catalog-1')      and bring it back with")
        server = f"examples.shop.server --port {ports.catalog_1} --name catalog-1 --services catalog"
        say(f"  {sys.executable} -m {server}")
        say("Ctrl-C ends everything.")
        await asyncio.Event().wait()


def with_preview(text: str) -> str:
    """Return shop.yaml with the preview's cluster and route added."""
    return text.replace("\n\npolicies:", "\n" + PREVIEW_CLUSTER.strip("\n"), 1).rstrip("\n") + PREVIEW


def _last_line(output: str) -> str:
    lines = [re.sub(r"^[✓×–…] ", "", line.strip()) for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _rate() -> float:
    try:
        return min(500.0, max(10.0, float(os.environ.get("RATE", "60"))))
    except ValueError:
        return 60.0


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _main() -> int:
    directory = Path(tempfile.mkdtemp(prefix="seawall-demo-"))
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if task is not None:
            loop.add_signal_handler(number, task.cancel)
    demo = Demo(directory)
    keep_logs = True
    try:
        code = await demo.run()
        keep_logs = code != 0
    except Broken as error:
        print(f"The demonstration cannot go on: {error}", file=sys.stderr)
        code = 1
    except asyncio.CancelledError:
        keep_logs = False
        code = 130
    finally:
        if keep_logs:
            print(f"Logs of all processes: {directory}", file=sys.stderr)
        else:
            shutil.rmtree(directory, ignore_errors=True)
    return code


def main() -> int:
    """Run the demonstration."""
    return asyncio.run(_main())


if __name__ == "__main__":
    sys.exit(main())
