"""Operations on the fleet: begun, carried out at each proxy that they are for, ended.

The record is written before the first proxy is told, and again when proxies have answered, so a control plane
that is restarted knows who has to be told what.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from google.protobuf import json_format

from seawall.v1 import admin_operations_pb2 as pb
from seawall.v1 import fleet_pb2
from seawall_control.domain import operations as domain
from seawall_control.domain.errors import (
    ControlError,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    StoreUnavailable,
)
from seawall_control.domain.events import MICROS
from seawall_control.domain.fleet import ProxyRecord
from seawall_control.domain.operations import KIND, MAX_ACTIVE, TOPIC, Ack, Operation, State
from seawall_control.domain.records import Append, Change, DocumentConflict, Put
from seawall_control.domain.revisions import checked_request_id
from seawall_control.services.edge import Clock, Ids
from seawall_control.services.fleet import Fleet
from seawall_control.services.operation_actions import checked_action, start_command, stop_command, title_of
from seawall_control.store.port import RecordStore

TICK_S: Final = 1.0
KEEP: Final = 200
"""Operations that are kept after their end."""
JOURNAL_KEEP: Final = 10_000
RETRY_S: Final = 10.0
"""How soon a proxy that did not answer is asked again."""
TRIES: Final = 10

_log = logging.getLogger("seawall.control.operations")


class FleetOperations:
    """The use cases of operations."""

    def __init__(
        self,
        store: RecordStore,
        fleet: Fleet,
        clock: Clock,
        ids: Ids,
        *,
        is_leader: Callable[[], bool] = lambda: True,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._clock = clock
        self._ids = ids
        self._is_leader = is_leader
        self._all: dict[str, Operation] = {}
        self._silent: dict[tuple[str, str], float] = {}
        """When a proxy that did not answer may be asked again, by operation and node."""
        self._asking: dict[tuple[str, str], object] = {}
        """Who has been told and whose answer is not recorded yet, and which telling that was."""

    async def load(self) -> None:
        """Read what is under way and what is remembered; also after another control plane has changed it."""
        found: dict[str, Operation] = {}
        before = dict(self._all)
        after = ""
        while page := await self._store.documents(KIND, after=after, limit=100):
            for document in page:
                try:
                    operation = domain.decoded(document.body)
                except (ValueError, InvalidRequest) as error:
                    _log.warning(
                        "an operation's document cannot be read and is left alone",
                        extra={"fields": {"document": document.name, "error": str(error)}},
                    )
                    continue
                found[operation.id] = operation
            after = page[-1].name
        # What began or changed here meanwhile is newer than what was read.
        found.update((id_, one) for id_, one in self._all.items() if before.get(id_) is not one)
        self._all = found

    async def run(self) -> None:
        """Tell proxies that have come what is in effect, and end what is over, until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self._tick()
            except ControlError as error:
                _log.warning("operations could not be recorded", extra={"fields": {"error": str(error)}})
            except Exception:  # noqa: BLE001 - the next look must come
                _log.exception("operations could not be looked after")

    async def _tick(self) -> None:
        now_us = self._clock.now_us()
        for operation in list(self._all.values()):
            try:
                await self._look_after(operation, now_us)
            except ControlError as error:
                _log.warning(
                    "an operation could not be recorded",
                    extra={"fields": {"operation": operation.id, "error": str(error)}},
                )
            except Exception:  # noqa: BLE001 - one that cannot be looked after must not keep the others from it
                _log.exception(
                    "an operation could not be looked after", extra={"fields": {"operation": operation.id}}
                )
        if self._is_leader():
            await self._forget_old(now_us)

    async def _look_after(self, operation: Operation, now_us: int) -> None:
        after = domain.ended(operation, now_us)
        if after is operation:
            if now_us < operation.end_time_us:
                await self._carry_out(operation.id)
        elif self._is_leader():
            # Until that is stored it is looked after again.
            await self._change(after.id, lambda found: domain.ended(found, now_us), "ended")
            if self._all.get(after.id) is operation:
                self._all[after.id] = after  # its document is gone
        else:
            self._all[after.id] = after

    async def _forget_old(self, now_us: int) -> None:
        over = sorted(
            (o for o in self._all.values() if o.state is not State.ACTIVE and o.end_time_us < now_us),
            key=lambda operation: operation.create_time_us,
        )
        if len(over) <= KEEP:
            return
        old = over[: len(over) - KEEP]
        await self._store.commit([domain.deletion(operation) for operation in old], at_us=now_us)
        await self._store.trim(TOPIC, keep=JOURNAL_KEEP, before_us=now_us)
        for operation in old:
            del self._all[operation.id]

    # ---------------------------------------------------------------------------------------------- use cases

    async def start(
        self,
        action: pb.OperationAction,
        *,
        node: str = "",
        selector: str = "",
        length_s: float,
        actor: str,
        reason: str,
        validate_only: bool = False,
        request_id: str = "",
    ) -> Operation:
        """Begin an operation; return when every connected proxy that it is for has answered or had its time.

        Raises `InvalidRequest`, `NotFound` for a proxy that nobody knows, and `PreconditionFailed` when too
        many operations are in effect.
        """
        checked_action(action)
        where, actor, reason = domain.checked(
            length_s=length_s, actor=actor, reason=reason, node=node, selector=selector
        )
        request_id = checked_request_id(request_id)
        now_us = self._clock.now_us()
        operation = Operation(
            id=request_id or self._ids.new(),
            kind=action.WhichOneof("kind") or "",
            action=json_format.MessageToJson(action, indent=None),
            title=title_of(action),
            node=node,
            selector=where,
            actor=actor,
            reason=reason,
            create_time_us=now_us,
            end_time_us=now_us + int(length_s * MICROS),
        )
        if operation.id in self._all:
            return self._repeated(operation)
        if node:
            self._fleet.proxy(node)
        if validate_only:
            return replace(
                operation, acks={p.node: Ack(boot_id=p.boot_id, ok=False) for p in self._targets(operation)}
            )
        if sum(one.state is State.ACTIVE for one in self._all.values()) >= MAX_ACTIVE:
            raise PreconditionFailed(
                f"{MAX_ACTIVE} operations are in effect; cancel one (`seawall operations list`)"
            )
        try:
            await self._keep(operation, "started")
        except DocumentConflict:
            # Another control plane was asked the same at this moment; the operation is the one that it began.
            await self.load()
            begun = self._repeated(operation)
            await self._carry_out(begun.id)
            return self._all[begun.id]
        self._all[operation.id] = operation
        await self._carry_out(operation.id)
        return self._all[operation.id]

    def _repeated(self, operation: Operation) -> Operation:
        """Return the operation of this id. Raise `InvalidRequest` when that is another one."""
        before = self._all[operation.id]
        if (before.action, before.node, before.selector.text, before.length_us) != (
            operation.action,
            operation.node,
            operation.selector.text,
            operation.length_us,
        ):
            raise InvalidRequest(
                f"request_id {operation.id} was used for another operation ({before.title}); use a new UUID"
            )
        return before

    async def cancel(self, operation_id: str, *, actor: str = "", reason: str = "") -> Operation:
        """End an operation everywhere. Raise `NotFound`, or `PreconditionFailed` when it has ended."""
        operation = self.get(operation_id)
        if operation.state is not State.ACTIVE:
            raise PreconditionFailed(f"operation {operation.id} is {operation.state} already")

        def change(found: Operation) -> Operation:
            return domain.cancelled(found, actor=actor, reason=reason)

        await self._change(operation.id, change, "cancelled")
        await self._carry_out(operation.id)
        return self.get(operation.id)

    def get(self, operation_id: str) -> Operation:
        """Return an operation. Raise `NotFound`."""
        found = self._all.get(operation_id)
        if found is None:
            raise NotFound(
                f"there is no operation {operation_id[:64]!r}; `seawall operations list` shows them"
            )
        return found

    def all(self, *, active_only: bool = False) -> list[Operation]:
        """Return operations, newest first."""
        found = [o for o in self._all.values() if not active_only or o.state is State.ACTIVE]
        return sorted(found, key=lambda o: (o.create_time_us, o.id), reverse=True)

    def pending(self, operation: Operation) -> int:
        """Return how many connected proxies have still to do it."""
        now_us = self._clock.now_us()
        return sum(
            operation.wants_start(p.node, p.labels, p.boot_id, now_us) for p in self._fleet.connected_ones()
        )

    # ------------------------------------------------------------------------------------------- carrying out

    def _targets(self, operation: Operation) -> list[ProxyRecord]:
        return [p for p in self._fleet.connected_ones() if operation.is_for(p.node, p.labels)]

    async def _carry_out(self, operation_id: str) -> None:
        """Tell every proxy that has to be told, and keep what they say."""
        operation = self._all[operation_id]
        now_us, now_s = self._clock.now_us(), self._clock.monotonic_s()
        work = []
        telling = object()
        for proxy in self._fleet.connected_ones():
            key = (operation.id, proxy.node)
            if key in self._asking or self._silent.get(key, 0.0) > now_s:
                continue
            if operation.wants_start(proxy.node, proxy.labels, proxy.boot_id, now_us):
                self._asking[key] = telling
                work.append(self._tell(operation, proxy, start_command(operation, now_us), undo=False))
            elif operation.wants_end(proxy.node, proxy.boot_id, now_us):
                self._asking[key] = telling
                work.append(self._tell(operation, proxy, stop_command(operation), undo=True))
        if not work:
            return
        try:
            answers = await asyncio.gather(*work)
            said = {node: ack for node, ack in answers if ack is not None}

            def change(found: Operation) -> Operation:
                for node, ack in said.items():
                    found = found.answered(node, ack)
                return found

            if said:
                await self._change(operation_id, change)
        finally:
            # Not before: whoever has answered would be told once more by the next look, while others are
            # waited for.
            for key in [key for key, held in self._asking.items() if held is telling]:
                del self._asking[key]

    async def _change(
        self, operation_id: str, change: Callable[[Operation], Operation], what: str = ""
    ) -> None:
        """Change the record of an operation as it is now: other control planes, and other tasks, add what
        their proxies say to the same one. Raise `StoreUnavailable` when somebody else is always faster.
        """
        for _ in range(TRIES):
            document = await self._store.document(KIND, operation_id)
            if document is None:
                return  # forgotten meanwhile
            operation = change(domain.decoded(document.body))
            changes: list[Change] = [Put(KIND, operation_id, domain.encoded(operation), document.version)]
            if what:
                changes.append(Append(TOPIC, domain.entry(operation, what)))
            try:
                await self._store.commit(changes, at_us=self._clock.now_us())
            except DocumentConflict:
                continue
            self._all[operation_id] = operation
            return
        raise StoreUnavailable(f"operation {operation_id} is being changed by others all the time; try again")

    async def _tell(
        self, operation: Operation, proxy: ProxyRecord, command: fleet_pb2.Command, *, undo: bool
    ) -> tuple[str, Ack | None]:
        key = (operation.id, proxy.node)
        (outcome,) = await self._fleet.command(proxy.node, command)
        if not outcome.answered:
            # There is nothing to record.
            self._asking.pop(key, None)
        if not outcome.answered and not self._fleet.is_connected(proxy.node):
            return proxy.node, None  # told again as soon as it is back
        if not outcome.answered:
            self._silent[key] = self._clock.monotonic_s() + RETRY_S
            self._silent = {k: v for k, v in self._silent.items() if k[0] in self._all}
            return proxy.node, None
        self._silent.pop(key, None)
        return proxy.node, Ack(
            boot_id=proxy.boot_id,
            ok=outcome.ok or undo,
            message=outcome.message,
            time_us=self._clock.now_us(),
            undone=undo,
        )

    async def _keep(self, operation: Operation, what: str = "") -> None:
        changes: list[Change] = [Put(KIND, operation.id, domain.encoded(operation), expected=0)]
        if what:
            changes.append(Append(TOPIC, domain.entry(operation, what)))
        await self._store.commit(changes, at_us=self._clock.now_us())
