"""What the audit says of one call: an entry in each transaction in which it changes something, and one at its
end if there is more to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from seawall_control.domain.audit import BEGUN, TOPIC, AuditRecord, encoded, with_changes
from seawall_control.domain.records import Append, Touched
from seawall_control.services.audit import AuditLog


class CallWitness:
    """The witness of a call (store/witness.py). `record` returns what is known of the call now."""

    def __init__(self, log: AuditLog, record: Callable[[], AuditRecord]) -> None:
        self._log = log
        self._record = record
        self._open = True
        self.steps = 0
        """Transactions that were committed with an entry of this call."""

    @property
    def is_open(self) -> bool:
        """See `Witness.is_open`."""
        return self._open

    def now_us(self) -> int:
        """See `Witness.now_us`."""
        return self._log.now_us()

    def entry(self, touched: Sequence[Touched]) -> Append:
        """See `Witness.entry`."""
        record = with_changes(self._record(), touched, self.steps + 1)
        return Append(TOPIC, encoded(record), self._log.seal)

    def durable(self) -> None:
        """See `Witness.durable`."""
        self.steps += 1
        self._log.numbers.written += 1

    async def begun(self) -> None:
        """Write down that something is about to be done that no transaction holds."""
        await self._log.write(replace(self._record(), outcome=BEGUN))

    async def close(self, outcome: str, reason: str, *, dry_run: bool) -> None:
        """Say how the call ended, unless the entries of its changes have said so, or it was only asked what
        it would do. What is changed from now on is not of this call.
        """
        self._open = False
        if outcome == "OK" and (dry_run or self.steps):
            return
        await self._log.write(replace(self._record(), outcome=outcome, reason=reason))
