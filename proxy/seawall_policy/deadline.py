"""How much time a call has: the `grpc-timeout` header in both directions, and sums with deadlines.

A *timeout* is relative (seconds), a *deadline* absolute (monotonic seconds), and infinity means "none" for
both. Two rules:

1. A malformed `grpc-timeout` is an error of the caller, never "no deadline".
2. The time that is forwarded never grows on its way: it is rounded down to the finest unit that fits eight
   digits, and checked against what the receiver will read, because a float times a million may already have
   rounded up.

**The budget of a call's time** (`DeadlineOptions`, `HopelessGate`). A margin is kept back of the caller's
time, so that the proxy answers before the caller gives up. A call that arrives with less time than the
fastest tenth of attempts has needed lately will almost surely come to nothing: it is counted, or refused, but
never more than a share of the traffic of the last ten seconds, so that a wrong estimate cannot refuse
everybody for good.

Sources: grpc `doc/PROTOCOL-HTTP2.md` (Timeout = 1*8DIGIT unit; H M S m u n); Finagle's DeadlineFilter
(observes first, refuses at most a share); Envoy's `grpc_timeout_header_offset` (never to nothing).
"""

from __future__ import annotations

from math import inf
from typing import Final

from seawall_policy.budget import BudgetOptions, RetryBudget

# What is done with hopeless calls, numbered as in seawall.v1.
ENFORCE: Final = 1
SHADOW: Final = 2
OFF: Final = 3

REFUSED_OVER_S: Final = 10.0
"""What the share of refused calls is counted over."""

MALFORMED: Final = -1.0

_MAX_DIGITS: Final = 8
_MAX_VALUE: Final = 99_999_999

_H: Final = 0x48
_M: Final = 0x4D
_S: Final = 0x53
_MILLI: Final = 0x6D
_MICRO: Final = 0x75
_NANO: Final = 0x6E


def parse_grpc_timeout(value: bytes) -> float:
    """Return the seconds in a `grpc-timeout` value, at least 0.0; MALFORMED (-1.0) unless it is 1-8 digits
    and a unit.
    """
    digits = len(value) - 1
    if digits < 1 or digits > _MAX_DIGITS:
        return MALFORMED
    amount = 0
    for i in range(digits):  # compiled this is a third of the time of int(bytes)
        digit = value[i] - 48
        if digit < 0 or digit > 9:
            return MALFORMED
        amount = amount * 10 + digit
    return _seconds(amount, value[digits])


def format_grpc_timeout(seconds: float) -> bytes:
    """Return the `grpc-timeout` value for what is left, never more than it.

    Zero, negative and NaN become `0n`: the receiver sees a deadline that has passed. What does not fit into
    eight digits of hours, infinity included, becomes `99999999H`; leave the header out instead where there
    is no deadline.
    """
    if not seconds > 0.0:
        return b"0n"
    if seconds < 0.1:
        return b"%dn" % _whole_units(seconds, seconds * 1e9, _NANO)
    if seconds < 100.0:
        return b"%du" % _whole_units(seconds, seconds * 1e6, _MICRO)
    if seconds < 1e5:
        return b"%dm" % _whole_units(seconds, seconds * 1e3, _MILLI)
    if seconds < 1e8:
        return b"%dS" % _whole_units(seconds, seconds, _S)
    if seconds < 6e9:
        return b"%dM" % _whole_units(seconds, seconds / 60.0, _M)
    if seconds < 3.6e11:
        return b"%dH" % _whole_units(seconds, seconds / 3600.0, _H)
    return b"99999999H"


class DeadlineOptions:
    """How a call's time is spent. `margin_s` is 0 to 10, `max_refused` the percentage of calls that may be
    refused as hopeless, 0 to 100. Raises ValueError for anything else.
    """

    def __init__(self, margin_s: float = 0.0, hopeless: int = SHADOW, max_refused: float = 20.0) -> None:
        if not 0.0 <= margin_s <= 10.0:
            raise ValueError(f"deadline: margin_s is {margin_s}; use 0 to 10")
        if hopeless not in (ENFORCE, SHADOW, OFF):
            raise ValueError(f"deadline: hopeless is {hopeless}; use ENFORCE, SHADOW or OFF")
        if not 0.0 <= max_refused <= 100.0:
            raise ValueError(f"deadline: max_refused is {max_refused}; use 0 to 100")
        self.margin_s: float = margin_s
        self.hopeless: int = hopeless
        self.max_refused: float = max_refused


class HopelessGate:
    """Counts the hopeless calls of a route, and says which are refused."""

    def __init__(self, options: DeadlineOptions) -> None:
        self.options: DeadlineOptions = options
        self.seen: int = 0
        """Hopeless calls, refused or not."""
        self.refused: int = 0
        self.would_refuse: int = 0
        """In shadow: hopeless calls that would have been refused."""
        self._budget: RetryBudget = RetryBudget(BudgetOptions(options.max_refused, 0.0, REFUSED_OVER_S))

    def carry_over(self, other: HopelessGate) -> None:
        """Take over what the gate of an earlier document has counted."""
        self.seen = other.seen
        self.refused = other.refused
        self.would_refuse = other.would_refuse
        if other.options.max_refused == self.options.max_refused:
            self._budget = other._budget

    def deposit(self, calls: int, now: float) -> None:
        """Count calls that have come."""
        self._budget.deposit_many(calls, now)

    def refuses(self, now: float) -> bool:
        """Count a hopeless call; tell whether it is refused."""
        self.seen += 1
        if not self._budget.try_withdraw(now):
            return False
        if self.options.hopeless != ENFORCE:
            self.would_refuse += 1
            return False
        self.refused += 1
        return True


def give_up_at(deadline: float, now: float, margin_s: float) -> float:
    """Return when a call ends whose caller waits until `deadline`: the margin earlier, but never before half
    of the time that is left.
    """
    if margin_s <= 0.0 or deadline == inf or deadline <= now:
        return deadline
    half = 0.5 * (deadline - now)
    return deadline - (min(half, margin_s))


def clamp_timeout(asked_s: float, limit_s: float, offset_s: float) -> float:
    """Return the time a call gets: the smaller of what was asked and the route's limit, less `offset_s`, at
    least 0.

    The offset makes us give up first, so that the failure is put down to the endpoint that was slow and not
    to the caller that stopped waiting. Without any limit the result is infinity.
    """
    smaller = min(limit_s, asked_s)
    left = smaller - offset_s
    return max(0.0, left)


def remaining(deadline: float, now: float) -> float:
    """Return the seconds left until a deadline, at least 0.0; infinity without one."""
    left = deadline - now
    return max(0.0, left)


def try_deadline(call_deadline: float, now: float, per_try_s: float) -> float:
    """Return when an attempt that starts now must end: the earlier of its own limit (infinity: none) and
    the call's deadline.
    """
    own = now + per_try_s
    return min(call_deadline, own)


def fits(remaining_s: float, need_s: float) -> bool:
    """Tell whether something that takes `need_s` ends strictly before the time is up."""
    return remaining_s == inf or need_s < remaining_s


def _seconds(amount: int, unit: int) -> float:
    """Return amount x unit in seconds, rounded once; MALFORMED for an unknown unit."""
    if unit == _MILLI:
        return amount / 1e3
    if unit == _MICRO:
        return amount / 1e6
    if unit == _NANO:
        return amount / 1e9
    if unit == _S:
        return float(amount)
    if unit == _M:
        return amount * 60.0
    if unit == _H:
        return amount * 3600.0
    return MALFORMED


def _whole_units(seconds: float, amount: float, unit: int) -> int:
    """Return the largest whole amount that reads back as no more than `seconds`."""
    whole = int(amount)
    whole = min(whole, _MAX_VALUE)
    if _seconds(whole, unit) > seconds:
        whole -= 1
    return whole
