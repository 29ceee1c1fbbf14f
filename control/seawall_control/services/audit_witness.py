"""What the audit says of one call: an entry in each transaction in which it changes something, and one at its
end if there is more to say.

A call that changes many events does so in hundreds of transactions, and hundreds of entries that each say
`events: 50` tell nobody anything. It leaves an entry with the first of them; every later one writes how many
there are by now over one document, the call's tally; and the end of the call writes the sum into the journal
and takes the tally away. Both are in the transactions of their changes, so a crash in the middle loses
nothing: whoever finds a tally that has not grown for long writes its sum down (`AuditLog.close_tallies`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from seawall_control.domain.audit import BEGUN, TALLY, TOPIC, AuditRecord, encoded, summed, with_changes
from seawall_control.domain.errors import RequestRunning
from seawall_control.domain.records import Append, Change, Delete, DocumentConflict, Put, Touched
from seawall_control.services.audit import AuditLog


class CallWitness:
    """The witness of a call (store/witness.py). `record` returns what is known of the call now."""

    def __init__(self, log: AuditLog, record: Callable[[], AuditRecord]) -> None:
        self._log = log
        self._record = record
        self._open = True
        self.steps = 0
        """Transactions that were committed with records of this call."""
        self._many = 0
        """Events that it has changed in them."""
        self._parts = 0
        """Transactions in which it has changed events of many."""
        self.claims: Sequence[Change] = ()
        """What its first transaction writes besides, so that nobody makes the same change again."""
        self.claimed = False

    @property
    def is_open(self) -> bool:
        """See `Witness.is_open`."""
        return self._open

    def now_us(self) -> int:
        """See `Witness.now_us`."""
        return self._log.now_us()

    def records(self, touched: Sequence[Touched]) -> Sequence[Change]:
        """See `Witness.records`."""
        many = sum(one.many for one in touched)
        if many and self._parts:
            whole = summed(self._record(), self._many + many, self.steps + 1)
            return [Put(TALLY, whole.call, encoded(whole))]
        record = with_changes(self._record(), touched, self.steps + 1)
        # Transactions may wait side by side, so each of them claims until one is durable.
        claims = () if self.claimed else self.claims
        return [*claims, Append(TOPIC, encoded(record), self._log.seal)]

    def refused(self, conflict: DocumentConflict) -> Exception:
        """See `Witness.refused`."""
        return RequestRunning(self._record().request_id) if self.claims else conflict

    def durable(self, touched: Sequence[Touched]) -> None:
        """See `Witness.durable`."""
        self.steps += 1
        self.claimed = bool(self.claims)
        many = sum(one.many for one in touched)
        if many:
            self._many += many
            self._parts += 1
        if not many or self._parts == 1:
            self._log.numbers.written += 1

    async def begun(self) -> None:
        """Write down that something is about to be done that no transaction holds. Raise `RequestRunning`
        when somebody does it already, and with claims what the store raises.
        """
        record = replace(self._record(), outcome=BEGUN)
        if not self.claims or self.claimed:
            await self._log.write(record)
            return
        try:
            await self._log.commit(record, *self.claims)
        except DocumentConflict as conflict:
            raise self.refused(conflict) from conflict
        self.claimed = True

    async def close(self, outcome: str, reason: str, *, dry_run: bool) -> None:
        """Say how the call ended, unless the entries of its changes have said so, or it was only asked what
        it would do. What is changed from now on is not of this call.
        """
        self._open = False
        record = replace(self._record(), outcome=outcome, reason=reason)
        if self._parts > 1:
            record = summed(record, self._many, self.steps)
            await self._log.write(record, Delete(TALLY, record.call))
        elif outcome != "OK" or not (dry_run or self.steps):
            await self._log.write(record)
