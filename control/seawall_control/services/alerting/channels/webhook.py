"""Signed webhooks, in the form of Standard Webhooks (https://www.standardwebhooks.com): id, time and an
HMAC-SHA256 over both and the body, so that a receiver knows who wrote it, when, and whether it has it
already.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json

from seawall_control.domain.alerts.channels import Channel
from seawall_control.domain.alerts.messages import moment, text_of
from seawall_control.domain.events import MICROS
from seawall_control.services.alerting.channels.https import Poster
from seawall_control.services.alerting.channels.port import Message


def key_of(secret: str) -> bytes:
    """Return the key that a secret stands for: the decoded rest after `whsec_`, else its UTF-8."""
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret[6:], validate=True)
        except (binascii.Error, ValueError):
            pass
    return secret.encode()


def signature(secret: str, message_id: str, at_s: int, body: bytes) -> str:
    """Return one signature, as a header holds it."""
    signed = f"{message_id}.{at_s}.".encode() + body
    digest = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def document(message: Message) -> bytes:
    """Return the body of a message."""
    return json.dumps(
        {
            "type": "seawall.alerts",
            "version": 1,
            "id": message.id,
            "time": moment(message.at_us),
            "alerts": list(message.bodies),
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()


class WebhookSender:
    """Sends signed webhooks."""

    def __init__(self, poster: Poster) -> None:
        self._poster = poster

    async def send(self, channel: Channel, message: Message) -> None:
        await self.post(channel, message.id, message.at_us // MICROS, document(message))

    async def post(self, channel: Channel, message_id: str, at_s: int, body: bytes) -> None:
        """Send a JSON document that is no alert, signed like one; see `Sender.send`."""
        signatures = [
            signature(secret, message_id, at_s, body)
            for secret in (channel.secret, channel.previous_secret)
            if secret
        ]
        headers = [
            ("content-type", "application/json"),
            ("user-agent", "seawall"),
            ("webhook-id", message_id),
            ("webhook-timestamp", str(at_s)),
            ("webhook-signature", " ".join(signatures)),
        ]
        await self._poster.post(channel.url, headers, body)


class SlackSender:
    """Posts to an incoming webhook of Slack, or of what takes the same (Mattermost, Discord)."""

    def __init__(self, poster: Poster) -> None:
        self._poster = poster

    async def send(self, channel: Channel, message: Message) -> None:
        text = _escaped(text_of(message.bodies))[:MAX_SLACK]
        body = json.dumps({"text": text}, ensure_ascii=False).encode()
        headers = [("content-type", "application/json"), ("user-agent", "seawall")]
        await self._poster.post(channel.url, headers, body)


MAX_SLACK = 35_000
"""Slack cuts texts at 40,000 characters."""


def _escaped(text: str) -> str:
    # Whatever an application calls its errors, it calls nobody: <!channel> stays text.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
