"""Secrets of documents, encrypted in the store.

Each time secrets are stored they get a key of their own (AES-256-GCM), and that key is kept beside them,
wrapped by the newest key of the file (services/keyring.py). What the document is called is authenticated
with both: secrets that are copied into another document do not open there.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from seawall_control.domain.errors import PreconditionFailed
from seawall_control.services.keyring import Key, Keyring

_NONCE_BYTES: Final = 12
_PURPOSE: Final = "secrets"


class Unreadable(Exception):
    """Secrets cannot be opened now; the message says why and what to do. Nothing of them is lost."""


class Vault:
    """Seals and opens secrets."""

    def __init__(self, keys: Keyring) -> None:
        self.keys = keys

    def sealed(self, kind: str, name: str, values: Mapping[str, str]) -> dict[str, str]:
        """Return what is stored of secrets. Raise `PreconditionFailed` while there is no key."""
        key = self.keys.current
        if key is None:
            raise PreconditionFailed(f"secrets cannot be stored: {self.keys.problem}")
        about = _about(kind, name)
        own = AESGCM.generate_key(256)
        text = json.dumps(dict(values), ensure_ascii=False).encode()
        return {
            "key": key.name,
            "wrapped": _encrypted(key.derived(_PURPOSE), own, about),
            "text": _encrypted(own, text, about),
        }

    def opened(self, kind: str, name: str, sealed: Mapping[str, Any]) -> dict[str, str]:
        """Return secrets. Raise `Unreadable`."""
        key_name = str(sealed.get("key", ""))
        key = self._key(key_name)
        about = _about(kind, name)
        try:
            own = _decrypted(key.derived(_PURPOSE), str(sealed.get("wrapped", "")), about)
            values = json.loads(_decrypted(own, str(sealed.get("text", "")), about))
            return {str(field): str(value) for field, value in values.items()}
        except (InvalidTag, ValueError, AttributeError):
            raise Unreadable(
                f"its secrets do not open with key {key_name}: they were damaged, or copied from elsewhere; "
                "give them anew"
            ) from None

    def is_current(self, sealed: Mapping[str, Any]) -> bool:
        """Tell whether secrets are sealed with the newest key."""
        key = self.keys.current
        return key is not None and sealed.get("key") == key.name

    def _key(self, name: str) -> Key:
        key = self.keys.key(name)
        if key is None:
            raise Unreadable(
                f"its secrets are sealed with key {name[:64]!r}, which is not in {self.keys.path}; restore "
                "that file, copy it from the control plane that has it, or give the secrets anew"
            )
        return key


def _about(kind: str, name: str) -> bytes:
    return f"seawall\0{kind}\0{name}".encode()


def _encrypted(key: bytes, plain: bytes, about: bytes) -> str:
    nonce = os.urandom(_NONCE_BYTES)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, plain, about)).decode()


def _decrypted(key: bytes, text: str, about: bytes) -> bytes:
    raw = base64.b64decode(text, validate=True)
    return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], about)
