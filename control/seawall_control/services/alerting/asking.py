"""Asks another system for something over a webhook channel, signed: what healing cannot do itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from seawall_control.domain.alerts.channels import Channel, ChannelKind
from seawall_control.domain.errors import NotFound, PreconditionFailed
from seawall_control.domain.events import MICROS, Json
from seawall_control.services.alerting.channels.port import NotSent
from seawall_control.services.alerting.channels.webhook import WebhookSender
from seawall_control.services.alerting.records import AlertRecords
from seawall_control.services.edge import Clock


class Asker:
    """Sends documents to webhook channels."""

    def __init__(self, records: AlertRecords, sender: WebhookSender, clock: Clock) -> None:
        self._records = records
        self._sender = sender
        self._clock = clock

    async def channel(self, name: str) -> Channel:
        """Return a channel that can be asked. Raise `NotFound` and `PreconditionFailed`."""
        channel = next((one for one, _ in await self._records.channels() if one.name == name), None)
        if channel is None:
            raise NotFound(f"there is no channel {name[:128]!r}; `seawall alerts channels list` shows them")
        if channel.kind is not ChannelKind.WEBHOOK or channel.disabled:
            raise PreconditionFailed(f"channel {name[:128]} is no webhook that is in use")
        if channel.unusable:
            raise PreconditionFailed(f"channel {name[:128]}: {channel.unusable}")
        return channel

    async def ask(self, name: str, message_id: str, document: Mapping[str, Json]) -> None:
        """Return once the receiver has accepted it. Raise `NotFound` and `PreconditionFailed`."""
        channel = await self.channel(name)
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        try:
            async with asyncio.timeout(channel.timeout_s):
                await self._sender.post(channel, message_id, self._clock.now_us() // MICROS, body)
        except TimeoutError:
            raise PreconditionFailed(
                f"channel {name[:128]} did not answer within {channel.timeout_s:g} s"
            ) from None
        except NotSent as error:
            raise PreconditionFailed(f"channel {name[:128]}: {error}") from None
