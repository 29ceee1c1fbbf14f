"""The data path of several worker processes, seen from the process in front of them.

A policy is put in force in two steps: every worker compiles it aside, and only when all have accepted it are
they told to install it; so a refusal changes nothing anywhere. A worker that dies is logged, counted, told as
an event and started again with a growing delay; meanwhile the slots that it accepted from are served by the
others, and its sockets, which the parent holds open, lose no waiting connection.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from time import monotonic
from typing import Final

from seawall.v1 import fleet_pb2, policy_pb2
from seawall_policy.compile import digest
from seawall_proxy.runtime.breaker_file import BreakerKeeper
from seawall_proxy.runtime.breaker_images import Image
from seawall_proxy.runtime.data_plane import Bootstrap
from seawall_proxy.runtime.event_pump import EventPump
from seawall_proxy.runtime.frames import Frame, Head, Json, Kind
from seawall_proxy.runtime.places import StartFailed
from seawall_proxy.runtime.settings import ProxySettings
from seawall_proxy.runtime.sockets import Place, assign
from seawall_proxy.runtime.workers.acts import ActBook
from seawall_proxy.runtime.workers.delays import STEADY_S, Delays
from seawall_proxy.runtime.workers.events import WorkerEvents
from seawall_proxy.runtime.workers.handle import WorkerHandle
from seawall_proxy.runtime.workers.siblings import followed
from seawall_proxy.runtime.workers.telling import descriptors_of, start_frame, worker_died
from seawall_proxy.runtime.workers.view import PoolPolicy, PoolView
from seawall_proxy.telemetry.counters import ProxyCounters
from seawall_proxy.telemetry.recorder import EventRecorder

log = logging.getLogger("seawall.workers")

COMPILE_LIMIT_S: Final = 60.0
COMMIT_LIMIT_S: Final = 10.0
DRAIN_SLACK_S: Final = 5.0


class WorkerPool:
    """Starts, keeps, asks and ends the workers."""

    def __init__(
        self,
        bootstrap: Bootstrap,
        settings: ProxySettings,
        pump: EventPump,
        counters: ProxyCounters,
        recorder: EventRecorder,
        command: list[str] | None = None,
    ) -> None:
        """`command` is what a worker process runs; default is this package's `__main__`."""
        self.policy: PoolPolicy = PoolPolicy()
        self.restarts: int = 0
        self._bootstrap: Bootstrap = bootstrap
        self._settings: ProxySettings = settings
        self._command: list[str] = [
            *([sys.executable, "-P", "-m", "seawall_proxy.runtime.workers"] if command is None else command),
            settings.log_format,
        ]
        self._events: WorkerEvents = WorkerEvents(pump)
        self._counters: ProxyCounters = counters
        self._recorder: EventRecorder = recorder
        self._places: list[Place] = []
        self._workers: dict[int, WorkerHandle] = {}
        self._delays: Delays = Delays()
        self._repairs: set[asyncio.Task[None]] = set()
        self._turn: asyncio.Lock = asyncio.Lock()
        self._policies: int = 0
        self._serving: bool = False
        self._started: bool = False
        self._ending: bool = False
        self._keeper: BreakerKeeper | None = None
        """Knows every breaker that is not plain closed."""
        self._acts: ActBook = ActBook()
        self._view: PoolView = PoolView(counters)

    @property
    def ready(self) -> bool:
        """Whether at least one worker accepts calls under a policy."""
        return any(worker.ready for worker in self._workers.values())

    def alive(self) -> list[WorkerHandle]:
        """Return the workers that are there, by number."""
        return [worker for _, worker in sorted(self._workers.items()) if worker.alive]

    def _tell(self, kind: Kind, head: Head, but: WorkerHandle | None = None) -> None:
        for worker in self.alive():
            if worker is not but:
                worker.say(kind, head)

    # starting

    async def start(self, places: list[Place]) -> None:
        """Start every worker; the first start of a worker has to succeed."""
        self._places = places
        spawned = await asyncio.gather(
            *(self._spawn(number) for number in range(self._bootstrap.workers)), return_exceptions=True
        )
        for number, result in enumerate(spawned):
            if isinstance(result, BaseException) or not result:
                why = result if isinstance(result, BaseException) else "it ended at once; its log says why"
                self._ending = True
                raise StartFailed(f"worker {number} of {self._bootstrap.workers} cannot be started: {why}")
        self._started = True

    async def _spawn(self, number: int) -> bool:
        start = start_frame(number, self._bootstrap, self._settings, self._places)
        mark = await self._events.mark()
        worker = await WorkerHandle.spawn(
            self._command, number, descriptors_of(self._places), start, mark, self._hear, self._lost
        )
        self._workers[number] = worker
        return await worker.hello()

    async def serve(self) -> None:
        """Let every worker accept from its slots."""
        self._serving = True
        refused = await self._assign()
        if refused:
            raise StartFailed("\n".join(refused))

    async def _assign(self) -> list[str]:
        """Share the slots out among the workers that are there; return what went wrong."""
        alive = [worker for worker in self.alive() if worker.fit]
        refused: list[str] = []
        numbers = [worker.number for worker in alive]
        shares: dict[int, list[Json]] = {number: [] for number in numbers}
        for index, place in enumerate(self._places):
            for number, slots in assign(len(place.slots), numbers).items():
                shares[number].extend([index, slot] for slot in slots)
        results = await asyncio.gather(
            *(self._reasons(worker, Kind.SERVE, {"slots": shares[worker.number]}) for worker in alive)
        )
        for worker, reasons in zip(alive, results, strict=True):
            worker.ready = not reasons and worker.alive
            refused.extend(f"worker {worker.number}: {reason}" for reason in reasons)
        return refused

    async def _reasons(
        self, worker: WorkerHandle, kind: Kind, head: Head, body: bytes = b"", limit_s: float = COMMIT_LIMIT_S
    ) -> list[str]:
        """Ask a worker to do something; return why it was not done."""
        try:
            return (await worker.ask(kind, head, body, limit_s)).texts("reasons")
        except ConnectionError as error:
            return [str(error)]
        except TimeoutError:
            return [f"it did not answer within {limit_s:g} s"]

    # policies

    async def apply(
        self, document: policy_pb2.PolicyDocument, *, revision: int, source: str, patient: bool
    ) -> list[str]:
        """Put a document in force in every worker, or in none; return why it was refused."""
        async with self._turn:
            began = monotonic()
            self._policies += 1
            head: Head = {
                "policy": self._policies,
                "revision": revision,
                "source": source,
                "patient": int(patient),
            }
            # One that starts meanwhile takes the policy in force at its own turn.
            workers = self.alive()
            refused = await self._prepare(workers, head, document.SerializeToString())
            if refused:
                for worker in workers:
                    worker.say(Kind.ABORT, {"policy": self._policies})
                self.policy.refused = refused
                self._counters.policy_refused += 1
                return refused
            policy = self.policy
            policy.document, policy.revision, policy.source = document, revision, source
            policy.digest = digest(document)
            policy.refused = []
            await self._commit(workers, self._policies)
            self._counters.policy_applied += 1
            self._counters.policy_apply_s = monotonic() - began
            return []

    async def _prepare(self, workers: list[WorkerHandle], head: Head, body: bytes) -> list[str]:
        """Have a policy compiled; a worker that dies meanwhile is no reason to refuse it, its successor
        compiles it again.
        """
        results = await asyncio.gather(
            *(self._reasons(worker, Kind.PREPARE, head, body, COMPILE_LIMIT_S) for worker in workers)
        )
        refused: dict[str, None] = {}
        for worker, reasons in zip(workers, results, strict=True):
            if worker.alive:
                refused.update(dict.fromkeys(reasons))
        return list(refused)

    async def _commit(self, workers: list[WorkerHandle], policy: int) -> None:
        results = await asyncio.gather(
            *(self._reasons(worker, Kind.COMMIT, {"policy": policy}) for worker in workers)
        )
        for worker, reasons in zip(workers, results, strict=True):
            worker.fit = not reasons
            if reasons and worker.alive:
                # It has accepted it and cannot follow: its successor will, or say why at its start.
                log.error("worker %d does not follow and is replaced: %s", worker.number, "; ".join(reasons))
                worker.kill()

    async def command(self, command: fleet_pb2.Command) -> tuple[bool, str]:
        """Carry a command out in every worker; one of them reports what changed."""
        body = command.SerializeToString()
        workers = self.alive()
        results = await asyncio.gather(
            *(self._order(worker, body, speaks=not index) for index, worker in enumerate(workers))
        )
        refused = [why for why in results if why]
        if not workers:
            return False, "no worker is there to do it"
        if not refused:
            self._acts.note(command, monotonic())
        return not refused, refused[0] if refused else ""

    async def _order(self, worker: WorkerHandle, body: bytes, *, speaks: bool) -> str:
        try:
            answer = await worker.ask(Kind.COMMAND, {"speaks": int(speaks)}, body)
        except (ConnectionError, TimeoutError) as error:
            return f"worker {worker.number}: {str(error) or 'it did not answer'}"
        # The numbers first: whoever reads them after the answer sees what the command did.
        worker.stats = fleet_pb2.StatsReport.FromString(answer.body)
        return "; ".join(answer.texts("reasons"))

    def keep_breakers(self, keeper: BreakerKeeper) -> None:
        """Tell the keeper of every breaker that is not plain closed."""
        self._keeper = keeper

    def restore_breakers(self, images: list[Image]) -> None:
        """Let breakers go on from their images: in one worker as they were, in the others as ones that follow
        it.
        """
        for index, worker in enumerate(self.alive()):
            mine = images if index == 0 else [followed(image) for image in images]
            worker.say(Kind.RESTORE, {"images": list(mine)})

    # what workers say

    async def _hear(self, worker: WorkerHandle, frame: Frame) -> None:
        if frame.kind == Kind.PULSE:
            worker.calls = frame.number("calls")
            worker.waiting = frame.number("waiting")
            worker.stats = fleet_pb2.StatsReport.FromString(frame.body)
        elif frame.kind == Kind.EVENTS:
            self._events.take(worker, frame)
        elif frame.kind in {Kind.BREAKER, Kind.EJECTION}:
            self._tell(Kind(frame.kind), frame.head, but=worker)
        elif frame.kind == Kind.KEEP and self._keeper is not None:
            image = frame.head.get("image")
            self._keeper.note(worker.number, frame.text("key"), image if isinstance(image, dict) else None)

    def _lost(self, worker: WorkerHandle) -> None:
        """A worker is gone: keep what it counted, and have it replaced."""
        if self._keeper is not None and not self._ending:
            self._keeper.forget(worker.number)
        self._view.lost(worker)
        lost = self._events.ended(worker)
        if self._started and not self._ending:
            task = asyncio.get_running_loop().create_task(self._replace(worker, lost))
            self._repairs.add(task)
            task.add_done_callback(self._repairs.discard)

    async def _replace(self, worker: WorkerHandle, lost: int) -> None:
        number = worker.number
        log.error(
            "worker %d (pid %d) %s; its %d calls in flight have failed, %d events are lost",
            number,
            worker.pid,
            worker.how(),
            worker.calls,
            lost,
        )
        self._recorder.system(worker_died(worker, lost))
        if self._serving:
            await self._assign()
        started = False
        while not started:  # or until `close` cancels it
            await asyncio.sleep(self._delays.next(number))
            started = await self._start_again(number)

    async def _start_again(self, number: int) -> bool:
        """Start a worker in the place of one that died; tell whether it works."""
        self.restarts += 1
        try:
            if not await self._spawn(number):
                # Its end has been told, and that has it replaced.
                return True
        except OSError as error:
            log.error("worker %d cannot be started: %s", number, error)  # noqa: TRY400
            return False
        worker = self._workers[number]
        async with self._turn:
            policy = self.policy
            head: Head = {
                "policy": self._policies,
                "revision": policy.revision,
                "source": policy.source,
                "patient": 1,
            }
            refused = await self._prepare([worker], head, policy.document.SerializeToString())
            if refused:
                log.error("worker %d cannot take the policy in force: %s", number, "; ".join(refused))
                worker.kill()
                return True
            await self._commit([worker], self._policies)
        if self._keeper is not None:
            worker.say(Kind.RESTORE, {"images": [followed(image) for image in self._keeper.images()]})
        for act in self._acts.current(monotonic()):
            await self._order(worker, act.SerializeToString(), speaks=False)
        if self._serving and worker.alive:
            await self._assign()
        if worker.ready:
            log.info("worker %d is back, pid %d", number, worker.pid)
            asyncio.get_running_loop().call_later(STEADY_S, self._delays.forgive, worker)
        return True

    # what the front asks

    def stats(self) -> fleet_pb2.StatsReport:
        """Return the numbers of all workers, as of their last pulse."""
        return self._view.stats(self.alive())

    async def status(self) -> dict[str, object]:
        """Return the merged pages of the workers, and each worker's own line."""
        return await self._view.status(list(self._workers.values()), self.policy, self.restarts)

    async def internals(self) -> dict[str, object]:
        """Return the sums over the workers."""
        return await self._view.internals(self.alive())

    async def metrics(self) -> str:
        """Return the workers' pages, added up."""
        return await self._view.metrics(self.alive(), self.policy.revision, self.restarts)

    def calls(self) -> int:
        """Return the calls in flight, as of the last pulses."""
        return sum(worker.calls for worker in self.alive())

    # ending

    async def run(self) -> None:
        """The workers look after themselves."""
        await asyncio.Event().wait()

    def stop_accepting(self) -> None:
        """Have every worker stop accepting."""
        self._serving = False
        self._tell(Kind.SERVE, {"slots": []})

    async def drain(self, grace_s: float, limit_s: float, hurry: asyncio.Event) -> None:
        """Have every worker drain and end; one that does not end in time is killed."""
        self._ending = True
        self._serving = False
        for task in self._repairs:
            task.cancel()
        workers = self.alive()
        self._tell(Kind.DRAIN, {"grace": grace_s, "limit": limit_s})
        ends = asyncio.gather(*(worker.ended() for worker in workers))
        rush = asyncio.ensure_future(self._rush(hurry))
        try:
            async with asyncio.timeout(limit_s + DRAIN_SLACK_S):
                await ends
        except TimeoutError:
            for worker in self.alive():
                log.warning("worker %d did not end in time and is killed", worker.number)
                worker.kill()
            await asyncio.gather(*(worker.ended() for worker in workers))
        finally:
            rush.cancel()
        await self._events.settled()

    async def _rush(self, hurry: asyncio.Event) -> None:
        await hurry.wait()
        self._tell(Kind.HURRY, {})

    async def close(self) -> None:
        """End what is left."""
        self._ending = True
        for task in self._repairs:
            task.cancel()
        for worker in self.alive():
            worker.kill()
        await asyncio.gather(*(worker.ended() for worker in self._workers.values()))
        await self._events.settled()
        self._events.close()
        for worker in self._workers.values():
            worker.mark.close()
