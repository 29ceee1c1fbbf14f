"""Policy sets as lines of immutable revisions, and what a change to one means.

Content is compared by hash; an unchanged document makes no revision; a rollback is a new, higher revision
with old content, so that the number in effect at a proxy never goes down (xDS rule X18, invariant I4).

A document may extend another set (domain/inheritance.py). A revision then holds both: what was applied, and
what that comes to with the base's newest revision written out, which is what its hash is of and what proxies
get. It names the base's revision, so it never changes afterwards, whatever becomes of the base.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from seawall_control.domain.errors import BaseMoved, EtagMismatch, InvalidRequest

DEFAULT_SET: Final = "default"
_SET_NAME: Final = re.compile(r"[A-Za-z0-9_./-]{1,128}")
_REQUEST_ID: Final = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
)
MAX_AUTHOR: Final = 256
MAX_MESSAGE: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """An immutable revision. `document` is the serialized message, empty where a list leaves it out."""

    policy_set: str
    revision: int
    hash: str
    author: str
    message: str
    create_time_us: int
    rollback_of: int = 0
    base: str = ""
    """The policy set that it extends; empty: none."""
    base_revision: int = 0
    """The revision of that set which is written out in the document; 0: none."""
    document: bytes = b""
    own: bytes = b""
    """The document as it was applied; empty where nothing is extended, and where a list leaves it out."""

    @property
    def name(self) -> str:
        """Resource name."""
        return f"policySets/{self.policy_set}/revisions/{self.revision}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to become the newest revision."""

    policy_set: str
    hash: str
    document: bytes
    author: str = ""
    message: str = ""
    create_time_us: int
    rollback_of: int = 0
    etag: str = ""
    """Hash that the newest revision must have; empty: any."""
    request_id: str = ""
    """Repeating it returns the first answer; empty: no such memory."""
    above: int = 0
    """The new revision's number is above this one as well: the highest that any proxy has had, which a store
    that was restored from a copy may not know.
    """
    base: str = ""
    base_revision: int = 0
    own: bytes = b""
    """See `Revision`."""
    after: int = 0
    """Number that the newest revision must have, or `BaseMoved` is raised; 0: any. Equal content does not
    show that the own document is the same, so this is asked of those who follow a base.
    """

    @property
    def asked_hash(self) -> str:
        """What the caller asked for, whatever has become of the base between two askings."""
        return sha256(self.own).hexdigest() if self.own and not self.rollback_of else self.hash


@dataclass(frozen=True, slots=True)
class Applied:
    """The newest revision after a change, and whether the change made one."""

    revision: Revision
    changed: bool
    before: str = field(default="", compare=False)
    """Hash of the revision that was the newest one; empty: there was none, or nothing has changed."""
    repeated: bool = field(default=False, compare=False)
    """This is the answer that was given before to the same request."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The answer to an earlier request with the same request id, and what that request asked for."""

    policy_set: str
    asked_hash: str
    rollback_of: int
    revision: int
    changed: bool


def policy_set_name(name: str) -> str:
    """Return the set's name, `default` for an empty one. Raise `InvalidRequest` for a bad one."""
    if not name:
        return DEFAULT_SET
    if not _SET_NAME.fullmatch(name):
        raise InvalidRequest(
            f"policy_set {name[:64]!r} is not a name: 1 to 128 of letters, digits, `_`, `-`, `.` and `/`"
        )
    return name


def checked_request_id(request_id: str) -> str:
    """Return the id in lower case. Raise `InvalidRequest` when it is no UUID."""
    if request_id and not _REQUEST_ID.fullmatch(request_id):
        raise InvalidRequest("request_id must be a UUID")
    return request_id.lower()


def check_repeat(before: Remembered, draft: Draft) -> None:
    """Raise `InvalidRequest` when a request id comes back with another request."""
    if (before.policy_set, before.asked_hash, before.rollback_of) != (
        draft.policy_set,
        draft.asked_hash,
        draft.rollback_of,
    ):
        raise InvalidRequest(
            f"request_id {draft.request_id} was used for another change of policy set "
            f"{before.policy_set}; use a new UUID"
        )


def is_same(latest: Revision, draft: Draft) -> bool:
    """Tell whether a draft changes nothing. Another base or another own document is a change even where both
    come to the same today.
    """
    return (latest.hash, latest.base, latest.own) == (draft.hash, draft.base, draft.own)


def next_revision(latest: Revision | None, draft: Draft) -> Applied:
    """Return what applying the draft on top of `latest` gives. Raise `EtagMismatch` or `BaseMoved`.

    Content that is the newest already makes no revision, unless proxies have had a higher number than it.
    """
    if draft.after and draft.after != (latest.revision if latest else 0):
        raise BaseMoved(draft.policy_set)
    if draft.etag and draft.etag != (latest.hash if latest else ""):
        raise EtagMismatch(draft.etag, latest.hash if latest else "")
    if latest is not None and is_same(latest, draft) and latest.revision >= draft.above:
        return Applied(latest, changed=False)
    made = Revision(
        policy_set=draft.policy_set,
        revision=max(latest.revision if latest else 0, draft.above) + 1,
        hash=draft.hash,
        document=draft.document,
        author=draft.author[:MAX_AUTHOR],
        message=draft.message[:MAX_MESSAGE],
        create_time_us=draft.create_time_us,
        rollback_of=draft.rollback_of,
        base=draft.base,
        base_revision=draft.base_revision,
        own=draft.own,
    )
    return Applied(made, changed=True, before=latest.hash if latest else "")
