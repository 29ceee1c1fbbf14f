"""The keys of the store: a file beside the authority's, never in the store itself.

From each key two others are derived, one that wraps the keys of secrets (services/vault.py) and one that
seals the audit journal (domain/records.py). The newest key is used; older ones stay in the file for what was
made with them. The store knows the names of its keys, and a check value of each: a file that is missing, or
is another store's, is noticed at the start and no new key takes its place by itself.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from seawall_control.domain.records import Seal
from seawall_control.services.durable_files import write_private

FILE_NAME: Final = "store.keys"
KEY_BYTES: Final = 32
MAX_KEYS: Final = 100
_FORMAT: Final = 1
_MAX_FILE_BYTES: Final = 64 * 1024
_NOTE: Final = (
    "Keys of Seawall's store; keep a copy, apart from the store's backups: who has both reads its secrets."
)


class KeysUnusable(Exception):
    """The key file cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key and what is derived from it."""

    name: str
    raw: bytes = field(repr=False)

    def derived(self, purpose: str) -> bytes:
        """Return a key for one purpose (HKDF-SHA-256, RFC 5869)."""
        return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=f"seawall {purpose}".encode()).derive(
            self.raw
        )

    @property
    def check(self) -> str:
        """What the store keeps to know the key by; says nothing about it."""
        return hmac.digest(self.derived("check"), b"seawall", "sha256").hex()[:32]


class Keyring:
    """The keys of a file. Without a file, or with one that cannot be used, `problem` says so and there is no
    current key.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._clear()
        self.load()

    def _clear(self) -> None:
        self.problem = ""
        self.sealed_from = 0
        """Number of the first entry of the audit that has to be sealed; 0: none has."""
        self._stamp: tuple[int, int] | None = None
        self._keys: dict[str, Key] = {}
        self._seals: dict[str, Seal] = {}
        self._current = ""
        self._rejected: frozenset[str] = frozenset()

    # ------------------------------------------------------------------------------------------------ reading

    @property
    def exists(self) -> bool:
        """Whether there is a file."""
        return self._stamp is not None

    @property
    def names(self) -> list[str]:
        """Names of all keys, the oldest first."""
        return list(self._keys)

    @property
    def current(self) -> Key | None:
        """The key for what is made now."""
        self._look()
        return None if self._current in self._rejected else self._keys.get(self._current)

    def key(self, name: str) -> Key | None:
        """Return a key, also one that was added to the file since it was read."""
        if name not in self._keys:
            self._look()
        return None if name in self._rejected else self._keys.get(name)

    @property
    def seal(self) -> Seal | None:
        """The seal for entries that are written now."""
        key = self.current
        return None if key is None else self.named(key.name)

    def named(self, name: str) -> Seal | None:
        """See `Seals.named`."""
        if name not in self._seals:
            key = self.key(name)
            if key is None:
                return None
            self._seals[name] = Seal(name, key.derived("audit"))
        return self._seals[name]

    def is_due(self, number: int) -> bool:
        """See `Seals.is_due`."""
        return 0 < self.sealed_from <= number

    def reject(self, names: frozenset[str], problem: str) -> None:
        """Use these keys no more: the store knows others by their names."""
        self._rejected = names
        self._seals.clear()
        self.problem = problem

    @property
    def has_changed(self) -> bool:
        """Whether the file is another than the one that was read."""
        return self._stamp != _stamp(self.path)

    def _look(self) -> None:
        if self.has_changed:
            self.load()

    def load(self) -> None:
        """Read the file again. What cannot be read leaves the keys that are known, and a problem."""
        stamp = _stamp(self.path)
        if stamp is None:
            if not self._keys:
                self.problem = f"there is no key file {self.path}"
            return
        self._stamp = stamp
        try:
            found = _read(self.path)
        except KeysUnusable as error:
            self.problem = str(error)
            return
        self._keys, self._current, self.sealed_from = found
        self._seals.clear()
        self._rejected = frozenset()
        self.problem = ""

    # ------------------------------------------------------------------------------------------------ writing

    def made(self, now: datetime) -> Key:
        """Return a new key, which is in no file yet."""
        return Key(f"k{now:%Y%m%d}-{os.urandom(3).hex()}", os.urandom(KEY_BYTES))

    def keep(self, key: Key, *, current: bool, sealed_from: int = 0) -> None:
        """Write a key to the file, beside the others. Raise OSError, and `KeysUnusable` when there are too
        many.
        """
        keys = {**self._keys, key.name: key}
        if len(keys) > MAX_KEYS:
            raise KeysUnusable(
                f"{self.path} holds {len(self._keys)} keys already; at most {MAX_KEYS} are kept"
            )
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        body = {
            "format": _FORMAT,
            "note": _NOTE,
            "current": key.name if current or not self._current else self._current,
            "sealed_from": self.sealed_from or sealed_from,
            "keys": {name: base64.b64encode(one.raw).decode() for name, one in keys.items()},
        }
        write_private(self.path, (json.dumps(body, indent=1) + "\n").encode())
        self.load()

    def put_aside(self) -> None:
        """Begin without keys; a file that cannot be used is kept under another name. Raise OSError."""
        if self.path.exists():
            self.path.rename(self.path.with_name(f"{self.path.name}.unusable"))
        self._clear()

    def use(self, name: str) -> None:
        """Make a key of the file the current one. Raise OSError."""
        self.keep(self._keys[name], current=True)


def _read(path: Path) -> tuple[dict[str, Key], str, int]:
    remedy = "restore it from a backup"
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise KeysUnusable(f"the key file {path} cannot be read ({error.strerror or error})") from error
    try:
        value: Mapping[str, Any] = json.loads(raw)
        if value["format"] != _FORMAT:
            raise KeysUnusable(f"the key file {path} is of a newer version of Seawall")
        keys = {
            str(name): Key(str(name), base64.b64decode(text, validate=True))
            for name, text in value["keys"].items()
        }
        current, sealed_from = str(value["current"]), int(value["sealed_from"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KeysUnusable(f"the key file {path} is damaged; {remedy}") from error
    if current not in keys or any(len(key.raw) != KEY_BYTES or ":" in key.name for key in keys.values()):
        raise KeysUnusable(f"the key file {path} is damaged; {remedy}")
    return keys, current, sealed_from


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
