"""Operations on the fleet: the calls, and both clients' part for them."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Protocol, TypeVar

from google.protobuf.message import Message

from seawall.client.calls import Call, Seconds, default_author, duration
from seawall.v1 import admin_operations_pb2 as operations
from seawall.v1.admin_operations_pb2 import FleetOperation, OperationAction

R = TypeVar("R", bound=Message)


class _Runs(Protocol):
    def unary(self, call: Call[R]) -> R: ...

    def stream(self, call: Call[R]) -> Iterator[R]: ...


class _RunsAsync(Protocol):
    async def unary(self, call: Call[R]) -> R: ...

    def stream(self, call: Call[R]) -> AsyncIterator[R]: ...


def start(
    action: OperationAction,
    *,
    proxy: str,
    selector: str,
    length: Seconds,
    actor: str,
    reason: str,
    validate_only: bool,
    request_id: str,
) -> Call[operations.StartOperationResponse]:
    """Begin an operation."""
    request = operations.StartOperationRequest(
        action=action,
        proxy=proxy,
        selector=selector,
        duration=duration(length),
        actor=actor or default_author(),
        reason=reason,
        validate_only=validate_only,
        request_id=request_id or str(uuid.uuid4()),
    )
    return Call(
        "/seawall.v1.FleetOperationService/StartOperation", request, operations.StartOperationResponse
    )


def cancel(operation_id: str, actor: str, reason: str) -> Call[operations.CancelOperationResponse]:
    """End an operation before its time."""
    request = operations.CancelOperationRequest(
        id=operation_id, actor=actor or default_author(), reason=reason
    )
    return Call(
        "/seawall.v1.FleetOperationService/CancelOperation", request, operations.CancelOperationResponse
    )


def get(operation_id: str) -> Call[operations.GetOperationResponse]:
    """One operation."""
    request = operations.GetOperationRequest(id=operation_id)
    return Call("/seawall.v1.FleetOperationService/GetOperation", request, operations.GetOperationResponse)


def list_page(active_only: bool, size: int) -> Call[operations.ListOperationsResponse]:
    """One page of operations, newest first."""
    request = operations.ListOperationsRequest(active_only=active_only, page_size=size)
    return Call(
        "/seawall.v1.FleetOperationService/ListOperations", request, operations.ListOperationsResponse
    )


class AsyncFleetOperations:
    """What operators do to many proxies for a time; see `AsyncSeawall.fleet_operations`. `actor` empty is the
    user of this process.
    """

    def __init__(self, run: _RunsAsync) -> None:
        self._run = run

    async def start(
        self,
        action: OperationAction,
        *,
        duration: Seconds,
        reason: str,
        proxy: str = "",
        selector: str = "",
        actor: str = "",
        validate_only: bool = False,
        request_id: str = "",
    ) -> FleetOperation:
        """Begin an operation for `duration` (1 s to 24 h) at one proxy, at those with matching labels, or at
        all; return it with what each connected one said.
        """
        call = start(
            action,
            proxy=proxy,
            selector=selector,
            length=duration,
            actor=actor,
            reason=reason,
            validate_only=validate_only,
            request_id=request_id,
        )
        return (await self._run.unary(call)).operation

    async def cancel(self, operation_id: str, *, actor: str = "", reason: str = "") -> FleetOperation:
        """End an operation before its time, everywhere."""
        return (await self._run.unary(cancel(operation_id, actor, reason))).operation

    async def get(self, operation_id: str) -> FleetOperation:
        """Return an operation with what each proxy said; `NotFound` when there is none."""
        return (await self._run.unary(get(operation_id))).operation

    async def list(self, *, active_only: bool = False, limit: int = 50) -> Sequence[FleetOperation]:
        """Return up to `limit` (at most 200) operations, newest first."""
        return (await self._run.unary(list_page(active_only, limit))).operations


class FleetOperations:
    """What operators do to many proxies for a time; see `Seawall.fleet_operations`. `actor` empty is the user
    of this process.
    """

    def __init__(self, run: _Runs) -> None:
        self._run = run

    def start(
        self,
        action: OperationAction,
        *,
        duration: Seconds,
        reason: str,
        proxy: str = "",
        selector: str = "",
        actor: str = "",
        validate_only: bool = False,
        request_id: str = "",
    ) -> FleetOperation:
        """Begin an operation for `duration` (1 s to 24 h) at one proxy, at those with matching labels, or at
        all; return it with what each connected one said.
        """
        call = start(
            action,
            proxy=proxy,
            selector=selector,
            length=duration,
            actor=actor,
            reason=reason,
            validate_only=validate_only,
            request_id=request_id,
        )
        return self._run.unary(call).operation

    def cancel(self, operation_id: str, *, actor: str = "", reason: str = "") -> FleetOperation:
        """End an operation before its time, everywhere."""
        return self._run.unary(cancel(operation_id, actor, reason)).operation

    def get(self, operation_id: str) -> FleetOperation:
        """Return an operation with what each proxy said; `NotFound` when there is none."""
        return self._run.unary(get(operation_id)).operation

    def list(self, *, active_only: bool = False, limit: int = 50) -> Sequence[FleetOperation]:
        """Return up to `limit` (at most 200) operations, newest first."""
        return self._run.unary(list_page(active_only, limit)).operations
