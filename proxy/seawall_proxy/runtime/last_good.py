"""The last policy that worked, kept on disk: what a proxy starts from while its control plane is away.

Two generations. A save keeps the current file as the previous one and puts a new one in its place, so at
every moment one of the two is whole. A load verifies a SHA-256 over everything; a damaged current
file is reported and the previous one is used. A file is

    SEAWALL-LAST-GOOD 1 LF  sha256 of the rest, in hexadecimal LF  header as JSON LF  PolicyDocument

The header holds revision, hash (the control plane's), when it was issued, and which generation it is: should
the two files be in each other's place, as after a careless restore, the newer one is the one that counts.
Blocking calls: use a thread.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError

from seawall.v1 import policy_pb2
from seawall_proxy.durable_files import put_in_place, staged

MAGIC: Final = b"SEAWALL-LAST-GOOD 1\n"
MAX_BYTES: Final = 16 << 20

CURRENT: Final = "last_good.pb"
PREVIOUS: Final = "last_good.previous.pb"


@dataclass(frozen=True, slots=True)
class SavedPolicy:
    """A policy from the disk."""

    document: policy_pb2.PolicyDocument
    revision: int
    digest: str
    """The control plane's hash of the document."""
    issued_s: float
    """Wall-clock seconds at which it was put in force."""
    path: Path
    generation: int = 0
    """Counts the saves; 0 in files of before there were generations."""


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What was found: a policy, or nothing, and what is wrong with the files."""

    policy: SavedPolicy | None
    problems: tuple[str, ...]
    """One line for each damaged file, naming it; empty when a file merely does not exist."""


class LastGood:
    """The two files in a proxy's data directory."""

    def __init__(self, directory: Path) -> None:
        self._directory: Path = directory
        self._current: Path = directory / CURRENT
        self._previous: Path = directory / PREVIOUS

    def save(self, document: policy_pb2.PolicyDocument, revision: int, digest: str, issued_s: float) -> None:
        """Keep a policy, and the one before it; raise OSError when the disk does not take it."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = self.load().policy
        generation = 1 if before is None else before.generation + 1
        header = json.dumps(
            {"revision": revision, "hash": digest, "issued": issued_s, "generation": generation},
            sort_keys=True,
        )
        body = header.encode("ascii") + b"\n" + document.SerializeToString(deterministic=True)
        if len(body) > MAX_BYTES:
            raise OSError(f"the policy takes {len(body)} bytes, and {MAX_BYTES} are kept on disk")
        checked = MAGIC + sha256(body).hexdigest().encode("ascii") + b"\n" + body
        # Before anything is moved: a disk that does not take it leaves both generations as they are.
        fresh = staged(self._current, checked)
        self._keep_previous()
        put_in_place(fresh, self._current)

    def load(self) -> LoadResult:
        """Return the newest policy that is whole."""
        problems: list[str] = []
        newest: SavedPolicy | None = None
        for path in (self._current, self._previous):
            found = _read(path)
            if not isinstance(found, SavedPolicy):
                if found:
                    problems.append(f"{path}: {found}")
            elif newest is None:
                newest = found
            elif found.generation > newest.generation:
                problems.append(f"{path}: is newer than {newest.path.name}: they are in each other's place")
                newest = found
        return LoadResult(newest, tuple(problems))

    def _keep_previous(self) -> None:
        # A damaged current file must not take the place of a whole previous one.
        if not isinstance(_read(self._current), SavedPolicy):
            return
        link = self._directory / f"{PREVIOUS}.new"
        link.unlink(missing_ok=True)
        os.link(self._current, link)
        link.replace(self._previous)


def _read(path: Path) -> SavedPolicy | str:
    """Return the policy of a file, or why there is none; an empty string when the file does not exist."""
    try:
        if path.stat().st_size > MAX_BYTES + 1024:
            return f"larger than {MAX_BYTES} bytes"
        raw = path.read_bytes()
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not raw.startswith(MAGIC):
        return "not a policy file of a format that this version knows"
    checksum, _, body = raw[len(MAGIC) :].partition(b"\n")
    if checksum != sha256(body).hexdigest().encode("ascii"):
        return "damaged: its content does not match its SHA-256"
    header, _, payload = body.partition(b"\n")
    try:
        fields = json.loads(header)
        document = policy_pb2.PolicyDocument.FromString(payload)
        return SavedPolicy(
            document,
            int(fields["revision"]),
            str(fields["hash"]),
            float(fields["issued"]),
            path,
            int(fields.get("generation", 0)),
        )
    except (ValueError, KeyError, TypeError, DecodeError) as error:
        return f"cannot be understood: {error}"
