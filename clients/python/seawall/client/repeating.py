"""What becomes of a change whose answer was lost: it is asked for once more, under the same id, so that it is
made once whatever had become of the first time.

Nothing else is repeated. A call that never left (nobody listens) did nothing, one that the control plane
refused has its answer, and where the time is over the caller decides.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Final, TypeVar

from google.protobuf.message import Message

from seawall.client.calls import Call
from seawall.errors import SeawallError, TimedOut, Unreachable

R = TypeVar("R", bound=Message)

AGAIN_S: Final = 30.0
"""How long the second time may take at most, within the time of the caller: there may be a restart."""
_DRAINING: Final = "DRAINING"


def identified(call: Call[R]) -> Call[R]:
    """Return the call with an id of its own, where it is one that changes something and has none."""
    if "request_id" not in call.request.DESCRIPTOR.fields_by_name or _id_of(call):
        return call
    request = type(call.request)()
    request.CopyFrom(call.request)
    request.request_id = str(uuid.uuid4())  # type: ignore[attr-defined]
    return replace(call, request=request)


def is_lost(call: Call[R], error: SeawallError) -> bool:
    """Tell whether a failed call is to be asked again: one with an id that may have been carried out without
    its caller hearing so, or that met a control plane about to stop.
    """
    if not _id_of(call):
        return False
    return error.reason == _DRAINING or (isinstance(error, Unreachable) and error.sent)


def left_s(timeout_s: float, spent_s: float) -> float:
    """Return how long the second time may take; 0 or less: there is none."""
    return min(timeout_s - spent_s, AGAIN_S)


def told(call: Call[R], error: SeawallError) -> SeawallError:
    """Return an error with the id of its call, to ask again with, where the change may have been made all the
    same.
    """
    if isinstance(error, TimedOut) and _id_of(call):
        error.metadata["request_id"] = _id_of(call)
    return error


def unanswered(call: Call[R], first: SeawallError, second: SeawallError) -> SeawallError:
    """Return what is told of a call whose answer was lost, and of which the second time said nothing either;
    else what that said.
    """
    if second.reason or not isinstance(second, (TimedOut, Unreachable)):
        return second
    if first.reason:
        return first
    return Unreachable(
        f"{first.message}; it was lost before the answer came, so the change may have been made",
        code=first.code,
        remedy="Look at what there is before you ask anew.",
        metadata={**first.metadata, "request_id": _id_of(call)},
    )


def _id_of(call: Call[R]) -> str:
    return str(getattr(call.request, "request_id", ""))
