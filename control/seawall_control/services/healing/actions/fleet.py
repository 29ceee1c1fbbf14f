"""Actions at the proxies: breakers held open or reset, endpoints drained."""

from __future__ import annotations

from seawall.v1 import admin_operations_pb2 as pb
from seawall.v1 import fleet_pb2, stats_pb2
from seawall_control.domain.errors import PreconditionFailed
from seawall_control.domain.healing.engine import Case
from seawall_control.services.commands import CommandOutcome
from seawall_control.services.healing.actions.base import ACTOR, AtOnce, Done, number, reason, subject_of


class _AtProxies(AtOnce):
    async def _connected(self) -> str:
        """Return how many proxies there are, in words."""
        found = len(self._reach.fleet.chosen(""))
        if not found:
            raise PreconditionFailed("no proxy is connected")
        return "1 proxy" if found == 1 else f"{found} proxies"

    async def _route(self, case: Case) -> str:
        route = await self._reach.signals.route_of(case.subject)
        if not route:
            raise PreconditionFailed(f"{case.runbook.action} is for routes, not for {case.subject}")
        return route


class _Lasting(_AtProxies):
    """What holds for a time, also at proxies that connect before it is over."""

    async def _operation(self, case: Case, action: pb.OperationAction, what: str) -> Done:
        seconds = number(case, "duration_s")
        operation = await self._reach.operations.start(
            action, length_s=seconds, actor=ACTOR, reason=reason(case)
        )
        outcomes = [
            CommandOutcome(node, ok=ack.ok, message=ack.message) for node, ack in operation.acks.items()
        ]
        done = told(outcomes, f"{what} for {seconds:g} s")
        if not done.ok:
            await self._reach.operations.cancel(operation.id, actor=ACTOR, reason=done.text[:512])
        return Done(done.ok, done.text, undo=operation.id if done.ok else "")

    async def undo(self, case: Case) -> Done:
        """See `Handler.undo`."""
        ended = await self._reach.operations.cancel(
            case.undo, actor=ACTOR, reason=f"{case.id}: it did not help"
        )
        return Done(ok=True, text=f"operation {ended.id} is cancelled")


class HoldBreakerOpen(_Lasting):
    """Holds the breaker of a route open."""

    async def preview(self, case: Case) -> str:
        """See `Handler.preview`."""
        route, proxies = await self._route(case), await self._connected()
        seconds = number(case, "duration_s")
        return f"would hold the breaker of {route} open for {seconds:g} s on {proxies}"

    async def do(self, case: Case) -> Done:
        """See `Handler.do`."""
        held = pb.HoldBreakerAction(
            breaker=await self._route(case), state=stats_pb2.BREAKER_STATE_FORCED_OPEN
        )
        return await self._operation(case, pb.OperationAction(hold_breaker=held), "held open")


class DrainEndpoint(_Lasting):
    """Keeps calls from an endpoint, unless it is the last of its cluster."""

    def _endpoint(self, case: Case) -> tuple[str, str]:
        cluster, _, address = subject_of(case, "endpoint").partition("/")
        if not address:
            raise PreconditionFailed(f"{case.runbook.action} is for endpoints, not for {case.subject}")
        if not self._reach.signals.others_in(cluster, address):
            raise PreconditionFailed(
                f"no other endpoint of {cluster} takes calls; the last one is not drained"
            )
        return cluster, address

    async def preview(self, case: Case) -> str:
        """See `Handler.preview`."""
        cluster, address = self._endpoint(case)
        seconds, proxies = number(case, "duration_s"), await self._connected()
        return f"would keep {proxies} from choosing {address} of {cluster} for {seconds:g} s"

    async def do(self, case: Case) -> Done:
        """See `Handler.do`."""
        cluster, address = self._endpoint(case)
        drained = pb.DrainAction(cluster=cluster, address=address)
        return await self._operation(case, pb.OperationAction(drain=drained), "drained")


class ResetBreaker(_AtProxies):
    """Closes the breaker of a route."""

    async def preview(self, case: Case) -> str:
        """See `Handler.preview`."""
        route, proxies = await self._route(case), await self._connected()
        return f"would close the breaker of {route} on {proxies} and forget its window"

    async def do(self, case: Case) -> Done:
        """See `Handler.do`."""
        command = fleet_pb2.Command(
            reset_breaker=fleet_pb2.ResetBreakerCommand(
                breaker=await self._route(case), reason=reason(case), actor=ACTOR
            )
        )
        return told(await self._reach.fleet.command("", command), "reset")


def told(outcomes: list[CommandOutcome], what: str) -> Done:
    """Return what proxies have answered; it is done when one of them has done it."""
    if not outcomes:
        return Done(ok=False, text="no proxy is connected")
    failed = [f"{o.proxy}: {o.message}" for o in outcomes if not o.ok]
    good = len(outcomes) - len(failed)
    said = f"{what} on {good} of {len(outcomes)} proxies"
    return Done(ok=good > 0, text=f"{said}; {'; '.join(failed[:5])}" if failed else said)
