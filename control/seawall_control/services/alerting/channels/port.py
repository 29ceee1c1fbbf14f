"""What a sender is given, and how it says that it could not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from seawall_control.domain.alerts.channels import Channel
from seawall_control.domain.events import Json


@dataclass(frozen=True, slots=True)
class Message:
    """What goes out at once. The same id may come twice, and means the same message then."""

    id: str
    at_us: int
    """When it is sent, in microseconds since the epoch."""
    bodies: Sequence[Mapping[str, Json]]
    """The alerts, as domain/alerts/messages.py makes them."""


class NotSent(Exception):
    """A message did not arrive, as far as is known. The text names no secret and nothing that the other side
    said beyond a status.
    """

    def __init__(self, text: str, *, final: bool = False) -> None:
        super().__init__(text)
        self.final = final
        """Whether the same message cannot arrive later either."""


class Sender(Protocol):
    """Sends messages of one kind of channel."""

    async def send(self, channel: Channel, message: Message) -> None:
        """Return once the message is accepted. Raise `NotSent`; whatever else it raises is a bug and is
        treated the same. Cancelling it, which the caller does when `timeout_s` is over, leaves nothing
        behind.
        """
        ...
