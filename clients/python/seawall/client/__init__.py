"""Typed access to the control plane: `AsyncSeawall` for asyncio, `Seawall` for everything else.

    with Seawall("127.0.0.1:9090") as seawall:
        for event in seawall.events.list('severity = HIGH AND resolved = false', limit=20):
            print(event.id, event.message)

Answers are the messages of `seawall.v1`; failures are the classes of `seawall.errors`. Every RPC has a
deadline.
"""

from seawall.client.aio import AsyncSeawall
from seawall.client.calls import DEFAULT_TARGET
from seawall.client.credentials import Credentials
from seawall.client.report import from_exception
from seawall.client.sync import Seawall
from seawall.errors import (
    BadCredentials,
    Conflict,
    Denied,
    Failed,
    FieldViolation,
    Invalid,
    NotFound,
    NotPossibleNow,
    Overloaded,
    SeawallError,
    TimedOut,
    Unreachable,
)

__all__ = [
    "DEFAULT_TARGET",
    "AsyncSeawall",
    "BadCredentials",
    "Conflict",
    "Credentials",
    "Denied",
    "Failed",
    "FieldViolation",
    "Invalid",
    "NotFound",
    "NotPossibleNow",
    "Overloaded",
    "Seawall",
    "SeawallError",
    "TimedOut",
    "Unreachable",
    "from_exception",
]
