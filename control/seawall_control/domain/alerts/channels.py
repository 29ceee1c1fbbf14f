"""Channels: where people are told, what each takes, and how its messages are paced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from seawall_control.domain.events import Severity

HIDDEN: Final = "***"
"""What a read shows for a secret that is set; a write that says it keeps the secret."""


class ChannelKind(StrEnum):
    """How a channel tells."""

    EMAIL = "email"
    SLACK = "slack"
    WEBHOOK = "webhook"
    FILE = "file"
    LOG = "log"
    APPRISE = "apprise"


class SmtpSecurity(StrEnum):
    """How a connection to a mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel. Which settings count depends on its kind; the others are empty."""

    name: str
    kind: ChannelKind
    disabled: bool = False
    min_severity: Severity = Severity.LOW
    """Milder alerts are not told here."""
    digest_s: float = 0.0
    """Collect for so long, then send one message; 0: one message for each."""
    immediate_from: Severity = Severity.CRITICAL
    """Alerts at least so severe do not wait for the digest."""
    max_per_minute: int = 30
    """Messages; what finds no room is gathered into the next one."""
    timeout_s: float = 10.0
    """For one message, from the name's look-up to the answer."""

    url: str = ""
    """Of SLACK and APPRISE (secret), and of WEBHOOK."""
    secret: str = ""
    """Of WEBHOOK: signs the messages."""
    previous_secret: str = ""
    """Of WEBHOOK: signs as well, while receivers change over."""
    host: str = ""
    port: int = 0
    security: SmtpSecurity = SmtpSecurity.STARTTLS
    user: str = ""
    password: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    file: str = ""
    """Of FILE: a plain name, in the directory for alerts of the control plane."""
    max_bytes: int = 10 * 1024 * 1024
    keep: int = 3
    """Of FILE: older files that are kept after a rotation."""
    unusable: str = ""
    """Why its secrets cannot be read now; empty: they can. Is not stored."""


SECRETS: Final = ("url", "secret", "previous_secret", "password")


def secret_fields(kind: ChannelKind) -> tuple[str, ...]:
    """Return the fields of a kind of channel that are secret."""
    # The address of a webhook is none: what it is sent carries a signature. A Slack address is a password.
    return SECRETS[1:] if kind is ChannelKind.WEBHOOK else SECRETS


def hidden(channel: Channel) -> Channel:
    """Return the channel as reads show it: secrets say that they are set, and no more."""
    shown = {name: HIDDEN for name in secret_fields(channel.kind) if getattr(channel, name)}
    return _with(channel, shown)


def secrets_of(channel: Channel) -> dict[str, str]:
    """Return the secrets that are set, by field."""
    return {name: str(value) for name in secret_fields(channel.kind) if (value := getattr(channel, name))}


def with_secrets(channel: Channel, values: Mapping[str, str]) -> Channel:
    """Return the channel with other values of secrets; those that are not given stay as they are."""
    return _with(channel, {name: values[name] for name in secret_fields(channel.kind) if name in values})


def keeps_secrets(channel: Channel) -> bool:
    """Tell whether a channel as it was written asks to keep a secret."""
    return any(getattr(channel, name) == HIDDEN for name in SECRETS)


def with_secrets_of(channel: Channel, before: Channel | None) -> Channel:
    """Return a channel as it was written, with the secrets that it asks to keep. A password is kept for the
    server that it was given for and no other: whoever may not read it must not have it sent elsewhere.
    """
    kept: dict[str, str] = {}
    for name in SECRETS:
        if getattr(channel, name) == HIDDEN:
            same = before is not None and before.kind is channel.kind
            if before is not None and name == "password":
                same = same and (before.host, before.port) == (channel.host, channel.port)
            kept[name] = str(getattr(before, name)) if same else ""
    return _with(channel, kept)


def _with(channel: Channel, values: Mapping[str, str]) -> Channel:
    return replace(
        channel,
        url=values.get("url", channel.url),
        secret=values.get("secret", channel.secret),
        previous_secret=values.get("previous_secret", channel.previous_secret),
        password=values.get("password", channel.password),
    )


LOG_CHANNEL: Final = Channel(name="log", kind=ChannelKind.LOG)
"""Is there from the start, so that every alert leaves a line; may be changed or disabled."""
