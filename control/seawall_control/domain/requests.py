"""Requests that are repeated: what is remembered of one with a `request_id`, so that it is carried out once
(https://google.aip.dev/155).

Theory: a caller that got no answer cannot know whether its change was made, and asks again with the same id.
The first transaction of a call that changes something therefore claims the id: a document of that name is
written with it, and a call that finds the id claimed, here or at another control plane on the same store,
changes nothing. When the call is over its answer is written into the document, and is what every repetition
is answered with. In between lies a moment in which the change is made and its answer is not kept; who asks
after a crash in that moment hears so, and looks for itself.

Documents are named by day first, so that old ones are found without looking at the others. A name stands for
the caller and its id: what another caller has asked with the same id is none of this one's business.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, Self

from seawall_control.domain.access import Caller
from seawall_control.domain.events import MICROS
from seawall_control.domain.records import Change, Claim, Delete, Put

KIND: Final = "request"
DAY_US: Final = 86_400 * MICROS
KEPT_DAYS: Final = 1
"""Days after the one of the request on which it is still remembered."""
MAX_ANSWER_BYTES: Final = 256 * 1024
"""Longer answers are not kept."""
RUNNING_US: Final = 300 * MICROS
"""So long a request that has no answer yet is taken to be carried out still."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with an id, and the names that it can be remembered under."""

    request_id: str
    method: str
    """As `/seawall.v1.Service/Method`."""
    digest: str
    """SHA-256 of method and request, in hexadecimal."""
    call: str
    at_us: int
    owner: str
    """Stands for caller and id together."""

    @classmethod
    def of(
        cls, caller: Caller, request_id: str, method: str, request: bytes, *, call: str, at_us: int
    ) -> Self:
        """Return a request that a caller makes now; `request` are its bytes."""
        who = "\0".join((caller.kind, caller.credential or caller.name, request_id))
        return cls(
            request_id=request_id,
            method=method,
            digest=sha256(method.encode() + b"\0" + request).hexdigest(),
            call=call,
            at_us=at_us,
            owner=sha256(who.encode()).hexdigest(),
        )

    def name(self, days: int = 0) -> str:
        """Return the name of the document for the day of the request, or one so many days later."""
        return f"{day_of(self.at_us) + days:08d}/{self.owner}"

    @property
    def names(self) -> tuple[str, ...]:
        """The names under which an earlier request with the same id may be remembered: that of tomorrow too,
        since clocks of control planes differ.
        """
        return tuple(self.name(days) for days in range(-KEPT_DAYS, 2))

    def claims(self) -> Sequence[Change]:
        """Return what the first transaction of the call writes; see `Claim`."""
        others = [Delete(KIND, name, expected=0) for name in self.names if name != self.name()]
        return [*others, Claim(KIND, self.name(), Kept.of(self).body)]

    def answered(self, kept: Kept, *, claimed: bool) -> Put:
        """Return what is written when the call is over: over its claim, or where it has changed nothing and
        claimed nothing, anew.
        """
        return Put(KIND, self.name(), kept.body, expected=1 if claimed else 0)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is remembered of a request."""

    method: str
    digest: str
    call: str
    at_us: int
    answer: bytes | None = None
    """None: there is none, or none yet."""
    outcome: str = ""
    """`OK` or the name of the status with which the call ended; empty: it has not."""

    @classmethod
    def of(cls, asked: Asked) -> Self:
        """Return what is remembered while a request is carried out."""
        return cls(asked.method, asked.digest, asked.call, asked.at_us)

    def ended(self, outcome: str, answer: bytes | None = None) -> Self:
        """Return what is remembered when it is over."""
        return replace(self, outcome=outcome, answer=answer)

    @property
    def body(self) -> str:
        """As it is stored."""
        answer = None if self.answer is None else base64.b64encode(self.answer).decode("ascii")
        return json.dumps([self.method, self.digest, self.call, self.at_us, self.outcome, answer])

    @classmethod
    def read(cls, body: str) -> Self | None:
        """Return what a document says; None for one that was damaged."""
        try:
            method, digest, call, at_us, outcome, answer = json.loads(body)
            found = None if answer is None else base64.b64decode(answer, validate=True)
            return cls(str(method), str(digest), str(call), int(at_us), found, str(outcome))
        except (ValueError, TypeError, binascii.Error):
            return None


def day_of(at_us: int) -> int:
    """Return the day of a time, in days since the epoch."""
    return at_us // DAY_US


def is_forgotten(name: str, now_us: int) -> bool:
    """Tell whether a document is older than what is remembered."""
    day = name.partition("/")[0]
    return not day.isdecimal() or int(day) < day_of(now_us) - KEPT_DAYS - 1
