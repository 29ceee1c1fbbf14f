"""What happened to groups of events, whichever control plane took the events in: read from the groups
themselves, which say when they changed and how, so that a crash or a change of the leader loses nothing and
tells nothing twice.

A group is looked at when it has changed its state lately; what of its activity was not handed out before is.
Clocks of control planes differ, so a while is read again each time, and what was handed out is remembered for
as long.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

from seawall_control.domain.alerts.facts import GroupNotice
from seawall_control.domain.events import MICROS, Json
from seawall_control.domain.filters import Compare, Op
from seawall_control.domain.group_filters import FIELDS
from seawall_control.domain.groups import Group
from seawall_control.services.edge import Clock
from seawall_control.store.port import GroupQuery, GroupStore

EVERY_S: Final = 2.0
OVERLAP_US: Final = 5 * MICROS
SHARED_OVERLAP_US: Final = 60 * MICROS
CATCH_UP_US: Final = 600 * MICROS
"""What happened longer ago while nobody looked is not told any more."""
MAX_SEEN: Final = 2000
_PAGE: Final = 500
_STATES: Final = frozenset({"new", "regressed", "escalating", "unmuted"})

Seen = tuple[str, int, str]


class GroupChanges:
    """Reads what has changed since the last time."""

    def __init__(self, store: GroupStore, clock: Clock, *, shared: bool) -> None:
        self._overlap_us = SHARED_OVERLAP_US if shared else OVERLAP_US
        self._store = store
        self._clock = clock
        self._cursor_us = clock.now_us()
        self._seen: OrderedDict[Seen, None] = OrderedDict()
        self._looked_s = -EVERY_S

    # -------------------------------------------------------------------------------------- what is handed on

    @property
    def state(self) -> dict[str, Json]:
        """Return where this reader stands, as it is stored."""
        return {"cursor_us": self._cursor_us, "seen": [list(item) for item in self._seen]}

    def begin(self, state: Json) -> None:
        """Go on from where the one before stood; from now on, where there was none."""
        now_us = self._clock.now_us()
        self._looked_s = -EVERY_S
        self._seen.clear()
        found = state if isinstance(state, dict) else {}
        cursor = found.get("cursor_us")
        self._cursor_us = now_us
        if isinstance(cursor, int):
            self._cursor_us = max(now_us - CATCH_UP_US, min(cursor, now_us))
        seen = found.get("seen")
        for item in seen if isinstance(seen, list) else ():
            match item:
                case [str(group), int(at_us), str(what)]:
                    self._seen[group, at_us, what] = None

    # ------------------------------------------------------------------------------------------------ reading

    async def look(self) -> Sequence[GroupNotice] | None:
        """Return what happened since the last time; None when it is not time to look yet."""
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s < EVERY_S:
            return None
        self._looked_s = now_s
        now_us = self._clock.now_us()
        since_us = self._cursor_us - self._overlap_us
        found = self._new(await self._changed(since_us), since_us)
        self._cursor_us = max(self._cursor_us, now_us)
        for item in [item for item in self._seen if item[1] < self._cursor_us - self._overlap_us]:
            del self._seen[item]
        return found

    def note(self, group: str, at_us: int, what: str) -> None:
        """Remember that something was handed out by another way."""
        self._seen[group, at_us, what] = None
        while len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)

    async def _changed(self, since_us: int) -> list[Group]:
        found: list[Group] = []
        wanted = Compare(FIELDS["since"], Op.GE, since_us)
        after: tuple[int, str] | None = None
        while True:
            query = GroupQuery(wanted, _PAGE, order="first_seen", descending=False, after=after)
            page = await self._store.groups(query)
            found += page
            if len(page) < _PAGE:
                return found
            after = (page[-1].first_seen_us, page[-1].id)

    def _new(self, groups: Iterable[Group], since_us: int) -> Sequence[GroupNotice]:
        fresh = [
            (did.at_us, group, did.what)
            for group in groups
            for did in group.activity
            if did.what in _STATES
            and did.at_us >= since_us
            and (group.id, did.at_us, did.what) not in self._seen
        ]
        notices = []
        for at_us, group, what in sorted(fresh, key=lambda one: one[0]):
            self.note(group.id, at_us, what)
            notices.append(notice_of(group, what))
        return notices


def notice_of(group: Group, what: str) -> GroupNotice:
    """Return what alert rules are told of a group."""
    return GroupNotice(
        state=what,
        fingerprint=group.id,
        component=group.component,
        error_type=group.error_type,
        route=group.route,
        method=group.method,
        code=group.code,
        severity=int(group.severity),
    )
