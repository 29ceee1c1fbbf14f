"""FleetOperationService: decode, call the use case, encode."""

from __future__ import annotations

from typing import Final

from seawall.v1 import admin_operations_pb2 as pb
from seawall.v1 import admin_operations_pb2_grpc
from seawall_control.api import codec
from seawall_control.api.caller import author
from seawall_control.api.errors import Context, answered
from seawall_control.domain import paging
from seawall_control.domain.operations import Operation, State
from seawall_control.services.operation_actions import action_of
from seawall_control.services.operations import FleetOperations

_STATES: Final = {
    State.ACTIVE: pb.OPERATION_STATE_ACTIVE,
    State.ENDED: pb.OPERATION_STATE_ENDED,
    State.CANCELLED: pb.OPERATION_STATE_CANCELLED,
}


class FleetOperationServicer(admin_operations_pb2_grpc.FleetOperationServiceServicer):
    """seawall.v1.FleetOperationService."""

    def __init__(self, operations: FleetOperations) -> None:
        self._operations = operations

    def _message(self, operation: Operation, *, acks: bool = True) -> pb.FleetOperation:
        said = operation.acks
        return pb.FleetOperation(
            id=operation.id,
            action=action_of(operation),
            title=operation.title,
            proxy=operation.node,
            selector=operation.selector.text,
            actor=operation.actor,
            reason=operation.reason,
            state=_STATES[operation.state],
            create_time=codec.optional_time(operation.create_time_us),
            end_time=codec.optional_time(operation.end_time_us),
            acks=[
                pb.OperationAck(
                    proxy=node,
                    ok=said[node].ok,
                    message=said[node].message,
                    time=codec.optional_time(said[node].time_us),
                    undone=said[node].undone,
                )
                for node in sorted(said if acks else ())
            ],
            done=sum(ack.ok for ack in said.values()),
            failed=sum(not ack.ok and ack.time_us > 0 for ack in said.values()),
            pending=self._operations.pending(operation),
            cancelled_by=operation.cancelled_by,
        )

    async def StartOperation(
        self, request: pb.StartOperationRequest, context: Context
    ) -> pb.StartOperationResponse:
        """Begin an operation."""

        async def work() -> pb.StartOperationResponse:
            operation = await self._operations.start(
                request.action,
                node=request.proxy,
                selector=request.selector,
                length_s=request.duration.ToTimedelta().total_seconds(),
                actor=author(request.actor),
                reason=request.reason,
                validate_only=request.validate_only,
                request_id=request.request_id,
            )
            return pb.StartOperationResponse(operation=self._message(operation))

        return await answered(context, work())

    async def CancelOperation(
        self, request: pb.CancelOperationRequest, context: Context
    ) -> pb.CancelOperationResponse:
        """End an operation before its time."""

        async def work() -> pb.CancelOperationResponse:
            operation = await self._operations.cancel(
                request.id, actor=author(request.actor), reason=request.reason
            )
            return pb.CancelOperationResponse(operation=self._message(operation))

        return await answered(context, work())

    async def GetOperation(
        self, request: pb.GetOperationRequest, context: Context
    ) -> pb.GetOperationResponse:
        """Return one operation."""

        async def work() -> pb.GetOperationResponse:
            return pb.GetOperationResponse(operation=self._message(self._operations.get(request.id)))

        return await answered(context, work())

    async def ListOperations(
        self, request: pb.ListOperationsRequest, context: Context
    ) -> pb.ListOperationsResponse:
        """Return operations, newest first."""

        async def work() -> pb.ListOperationsResponse:
            limit = paging.page_size(request.page_size, default=50, most=200)
            scope = ("operations", str(request.active_only))
            found = self._operations.all(active_only=request.active_only)
            if request.page_token:
                time_us, name = paging.decode(request.page_token, scope)
                found = [o for o in found if (o.create_time_us, o.id) < (int(time_us), str(name))]
            page = found[:limit]
            token = ""
            if len(found) > limit:
                token = paging.encode((page[-1].create_time_us, page[-1].id), scope)
            return pb.ListOperationsResponse(
                operations=[self._message(operation, acks=False) for operation in page],
                next_page_token=token,
            )

        return await answered(context, work())
