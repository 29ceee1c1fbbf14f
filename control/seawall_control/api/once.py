"""Carries out once what a caller asks several times with one `request_id`, over gRPC and over HTTP, for every
method alike (services/requests.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message

from seawall_control.api.caller import ServedCall
from seawall_control.api.errors import outcome_of
from seawall_control.domain.requests import Asked
from seawall_control.domain.revisions import checked_request_id
from seawall_control.services.requests import Requests

_OWN: Final = frozenset(
    {
        "/seawall.v1.PolicyService/ApplyPolicy",
        "/seawall.v1.PolicyService/RollbackPolicy",
        "/seawall.v1.FleetOperationService/StartOperation",
        "/seawall.v1.AlertService/CreateSilence",
    }
)
"""Methods whose requests are known by what they have made, for as long as that is there: who asked is in the
same transaction, so a control plane that is ended after it knows the answer, which the memory of requests
would not. A repetition waits here for the first, as with all others.
"""


async def once(
    requests: Requests, call: ServedCall | None, request: Message, work: Callable[[], Awaitable[Any]]
) -> Any:
    """Return what `work` gives, or what it gave when the same was asked before.

    Raise `InvalidRequest` for an id that is no UUID or was used for something else, `RequestRunning` and
    `RequestUnanswered`.
    """
    witness = None if call is None else call.witness
    request_id = str(getattr(request, "request_id", ""))
    if call is None or witness is None or not request_id or call.dry_run:
        return await work()
    said = type(request)()
    said.CopyFrom(request)
    said.ClearField("request_id")  # its letters may be large or small
    asked = Asked.of(
        call.caller,
        checked_request_id(request_id),
        call.method,
        said.SerializeToString(deterministic=True),
        call=call.id,
        at_us=requests.now_us(),
    )
    async with requests.turn(asked):
        if call.method in _OWN:
            return await work()
        found = await requests.answer(asked)
        if found is not None:
            call.result["repeated"] = "True"
            return _answer_class(call.method).FromString(found)
        witness.claims = asked.claims()
        try:
            answer = await work()
        except Exception as error:
            if witness.claimed:
                await requests.ended(asked, call.failure[0] or outcome_of(error)[0], None, claimed=True)
            raise
        await requests.ended(asked, "OK", _kept(answer), claimed=witness.claimed)
        return answer


def _kept(answer: Message) -> bytes | None:
    """Return the bytes of an answer that may be kept: what is told once is not written down."""
    return None if "secret" in answer.DESCRIPTOR.fields_by_name else answer.SerializeToString()


def _answer_class(method: str) -> type[Message]:
    service, _, name = method[1:].rpartition("/")
    found = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]
    return message_factory.GetMessageClass(found.output_type)
