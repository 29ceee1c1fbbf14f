"""Channels as documents: their secrets are sealed (services/vault.py), everything else is plain."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from seawall_control.domain.alerts import codec
from seawall_control.domain.alerts.channels import HIDDEN, Channel, secrets_of, with_secrets
from seawall_control.domain.records import Document, Put
from seawall_control.services.vault import Unreadable, Vault

CHANNEL: Final = "alert-channel"
_SEALED: Final = "sealed"
_NAMES: Final = "sealed_fields"


def channel_put(channel: Channel, vault: Vault, *, expected: int | None) -> Put:
    """Return the change that stores a channel. Raise `PreconditionFailed` when it has secrets and there is no
    key for them.
    """
    secrets = secrets_of(channel)
    bare = with_secrets(channel, dict.fromkeys(secrets, ""))
    body: dict[str, Any] = json.loads(codec.to_text(replace(bare, unusable="")))
    del body["unusable"]
    if secrets:
        body[_SEALED] = vault.sealed(CHANNEL, channel.name, secrets)
        body[_NAMES] = sorted(secrets)
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return Put(CHANNEL, channel.name, text, expected=expected)


def channel_of(document: Document, vault: Vault) -> Channel:
    """Return a stored channel. One whose secrets do not open is there all the same, and says why. Raise
    TypeError or ValueError for a document that cannot be read.
    """
    channel = replace(codec.channel_of(document.body), unusable="")
    body: Mapping[str, Any] = json.loads(document.body)
    sealed = body.get(_SEALED)
    if not isinstance(sealed, Mapping):
        # Of a version that kept them in the clear, or without secrets.
        return channel
    try:
        return with_secrets(channel, vault.opened(CHANNEL, document.name, sealed))
    except Unreadable as error:
        names = [str(name) for name in body.get(_NAMES, ())]
        return replace(with_secrets(channel, dict.fromkeys(names, HIDDEN)), unusable=str(error))


def is_due(document: Document, channel: Channel, vault: Vault) -> bool:
    """Tell whether a channel has secrets that can be read and are not sealed with the current key."""
    if channel.unusable or not secrets_of(channel) or vault.keys.current is None:
        return False
    sealed = json.loads(document.body).get(_SEALED)
    return not isinstance(sealed, Mapping) or not vault.is_current(sealed)
