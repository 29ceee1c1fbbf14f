"""Which numbers were given out, acknowledged and dropped: in memory and in the mark, together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from seawall_proxy.telemetry.spool.mark import RESERVE, MarkFile, MarkState
from seawall_proxy.telemetry.spool.tally import Tally
from seawall_proxy.telemetry.spool.terms import EXPIRED, SPOOL_FULL

_DROP_REASONS: Final = ("", SPOOL_FULL, EXPIRED)


class Numbers:
    """The numbers of one spool. What is said to be synced raises OSError."""

    def __init__(self, path: Path, tally: Tally) -> None:
        self._mark: MarkFile = MarkFile(path)
        self._state: MarkState = MarkState(spool_id=bytes(16))
        self._tally: Tally = tally

    @property
    def spool_id(self) -> bytes:
        """Identity under which they are unique; 16 bytes."""
        return self._state.spool_id

    @property
    def last(self) -> int:
        """Last number given out."""
        return self._state.last

    @property
    def acked(self) -> int:
        """Everything up to this number is stored by the control plane, or refused for good."""
        return self._state.acked

    @property
    def dropped_through(self) -> int:
        """Everything unacknowledged up to this number was dropped to make room."""
        return self._state.dropped_through

    @property
    def drop_reason(self) -> str:
        """Why that was dropped."""
        return _DROP_REASONS[self._state.drop_reason]

    @property
    def is_gone(self) -> bool:
        """Whether the mark was deleted or replaced under us."""
        return self._mark.is_gone()

    def load(self, boot: bytes) -> MarkState | None:
        """Return what the mark says, or None when there is none that can be trusted."""
        return self._mark.load(boot)

    def begin(self, known: MarkState, boot: bytes, last: int) -> None:
        """Go on from what is known, with `last` as the last number given out; written and synced."""
        self._state = replace(known, boot=boot, last=last, reserved=last, generation=known.generation + 1)
        self._mark.save(self._state)

    def reserve(self, last: int) -> None:
        """See to it that numbers up to this one may be given out; synced."""
        if last > self._state.reserved:
            self._save(replace(self._state, reserved=last + RESERVE))

    def save(self) -> None:
        """Write and sync."""
        self._save(self._state)

    def finish(self) -> None:
        """Write and sync that nothing is reserved beyond what was given out."""
        self._save(replace(self._state, reserved=self._state.last))

    def give(self, last: int) -> None:
        """Note that numbers up to this one are given out."""
        self._state = replace(self._state, last=last)

    def acknowledge(self, through: int) -> None:
        """Note that everything up to a number is acknowledged, and nothing above it."""
        self._state = replace(self._state, acked=through)

    def drop(self, through: int, reason: str) -> None:
        """Say, synced, that everything unacknowledged up to a number is dropped."""
        number = _DROP_REASONS.index(reason)
        self._save(replace(self._state, dropped_through=through, drop_reason=number))

    def note(self) -> None:
        """Write without a sync. A refusal is counted and no more: the reservation holds, so that only the gap
        of a crash is less exact.
        """
        try:
            self._mark.note(self._state)
        except OSError:
            self._tally.write_failed()

    def close(self) -> None:
        """Close the mark."""
        self._mark.close()

    def _save(self, state: MarkState) -> None:
        state = replace(state, generation=state.generation + 1)
        self._mark.save(state)
        self._state = state
