"""What the attempts of one endpoint have come to: counts that cost next to nothing to keep.

An attempt is *asked* when it begins and *answered* with the first byte of its response, or its end; it may
also be given up while it waits. How many of those that wait have waited for long is known without a list of
them: of those that wait now, no more have begun since a moment in the past than have begun at all since then,
so the rest has waited since before it. `overdue` counts no attempt too many, and none twice.

Only attempts that began in the endpoint's present term count: what is left of the time before an ejection
teaches nothing.
"""

from __future__ import annotations

from math import inf
from typing import Final

from seawall_policy import status
from seawall_policy.outlier.options import OutlierOptions
from seawall_policy.outlier.times import Times

IN: Final = 0
"""Gets calls like the others."""
OUT: Final = 1
"""Ejected."""
TRIAL: Final = 2
"""Back, with few attempts at a time until some have gone well."""
STATE_NAMES: Final[tuple[str, ...]] = ("in", "ejected", "trial")

TRIAL_CALLS: Final = 8
"""Attempts that must go well before an endpoint that is back gets calls like the others."""
NO_LIMIT: Final = 1 << 60

# How an attempt ended, as far as it says something about the endpoint.
STATUS: Final = 0
"""With a status of the server's."""
LOCAL: Final = 1
"""No connection could be had, or it was lost."""
OUT_OF_TIME: Final = 2
"""Our own timer ended it before it was answered."""


class Sum:
    """Ends and answers of some attempts; they only grow."""

    def __init__(self) -> None:
        self.calls: int = 0
        self.failures: int = 0
        self.answers: int = 0
        self.slow: int = 0


class Since:
    """What the other endpoints, and this one, had come to at some moment."""

    def __init__(self) -> None:
        self.first_bad: float = inf
        """When the first attempt began that has gone badly since; infinity when none has."""
        self.others: int = 0
        self.others_bad: int = 0
        self.own: int = 0
        self.own_bad: int = 0


class Tally:
    """One endpoint."""

    # What a new term begins with stands here; see `begin_term`.
    asleep: bool = True
    """Nobody looks at it at present; whoever begins an attempt has to say so."""
    reachable: bool = True
    """It could serve, as far as connections and health checks go."""
    state: int = IN
    until: float = 0.0
    """When the ejection ends."""
    times_out: int = 0
    """Ejections in a row."""
    why: str = ""
    """Reason of the latest ejection."""
    trial_good: int = 0
    group: int = 0
    """Endpoints of the same group are expected to take about the same time."""
    limit_s: float = inf
    """From which time on an attempt is slow; infinity when that is not known."""
    last_answer: float = -inf
    good_start: float = -inf
    """When the latest begun of all attempts began that succeeded."""
    fast_start: float = -inf
    """When the latest begun of all attempts began that were answered in time."""
    bad_interval: bool = False
    mark_at: float = inf
    mark_asked: int = 0
    newer_at: float = inf
    newer_asked: int = 0
    local_at: float = -inf
    failed_run: int = 0
    """Failures in a row."""
    local_run: int = 0
    failed_score: float = 0.0
    """See `sequential`."""
    slow_score: float = 0.0
    # Counts since the last look, and of this interval.
    ok: int = 0
    failed: int = 0
    fast: int = 0
    slow: int = 0
    ok_now: int = 0
    failed_now: int = 0
    fast_now: int = 0
    slow_now: int = 0

    def __init__(self, index: int, address: str, options: OutlierOptions, together: Sum, now: float) -> None:
        self.index: int = index
        """The endpoint's slot."""
        self.address: str = address
        self.failure_mask: int = options.failure_mask
        self.most_failed: int = options.consecutive
        self.most_local: int = options.consecutive_local
        self.times: Times = Times()
        self.together: Sum = together
        """All endpoints of the cluster."""
        self.own: Sum = Sum()
        self.run_since: Since = Since()
        """As it was when the present run of failures began."""
        self.silent_since: Since = Since()
        """As it was when the first of the attempts without an answer began."""
        self.failed_since: Since = Since()
        """As it was when `failed_score` was 0, or the term began."""
        self.slow_since: Since = Since()
        """As it was when `slow_score` was 0, or the term began."""
        self.term: float = now
        """When the present term began."""
        self.asked: int = 0
        """Attempts begun in this term."""
        self.waiting: int = 0
        """Attempts without an answer."""
        self.unheard: int = 0
        """Attempts begun since the last answer."""
        self.waits_since: float = now
        """Since when somebody waits without any answer."""
        self.waited_s: float = 0.0
        """How long that was the case before, since the last answer."""
        self.late: int = 0
        """Waiting attempts that have been counted as slow."""
        self.pause_end: float = -inf
        """When the endpoint answered again after it had said nothing for longer than a slow attempt takes."""
        self.before: tuple[int, int, int, int] = (0, 0, 0, 0)
        """The same four numbers of the interval before."""

    def configure(self, options: OutlierOptions) -> None:
        """Go by other options from now on."""
        self.failure_mask = options.failure_mask
        self.most_failed = options.consecutive
        self.most_local = options.consecutive_local

    def begin_term(self, now: float, score: float) -> None:
        """Forget the attempts so far; scores begin at `score`."""
        self.term = now
        self.asked = 0
        self.waiting = 0
        self.unheard = 0
        self.waits_since = now
        self.waited_s = 0.0
        self.late = 0
        self.mark_at = inf
        self.newer_at = inf
        self.failed_run = 0
        self.local_run = 0
        self.failed_score = score
        self.slow_score = score
        self.trial_good = 0
        self.last_answer = -inf
        self.good_start = -inf
        self.fast_start = -inf
        self.pause_end = -inf
        self.times.clear()
        self.forget_counts()
        self.mark_failures(self.failed_since)
        self.mark_answers(self.slow_since)

    def forget_counts(self) -> None:
        """Set the counts of this interval and the one before to nothing."""
        self.ok = self.failed = self.fast = self.slow = 0
        self.ok_now = self.failed_now = self.fast_now = self.slow_now = 0
        self.before = (0, 0, 0, 0)

    def mark_failures(self, since: Since) -> None:
        """Remember how many attempts have ended, and how many of them failed."""
        since.first_bad = inf
        since.own = self.own.calls
        since.own_bad = self.own.failures
        since.others = self.together.calls - since.own
        since.others_bad = self.together.failures - since.own_bad

    def mark_answers(self, since: Since) -> None:
        """Remember how many attempts have been answered, and how many of them late."""
        since.first_bad = inf
        since.own = self.own.answers
        since.own_bad = self.own.slow
        since.others = self.together.answers - since.own
        since.others_bad = self.together.slow - since.own_bad

    # what attempts say

    def began(self, now: float) -> None:
        """An attempt asks the endpoint."""
        self.asked += 1
        if self.waiting == 0:
            self.waits_since = now
        self.waiting += 1
        if self.unheard == 0:
            self.mark_answers(self.silent_since)
        self.unheard += 1

    def answered(self, started: float, now: float) -> None:
        """The first byte of an answer has come to an attempt that began at `started`."""
        if started < self.term:
            return
        took = now - started
        self.waiting -= 1
        self.unheard = 0
        self.waited_s = 0.0
        self.waits_since = now
        paused = now - self.last_answer > self.limit_s
        self.last_answer = now
        self.times.add(took)
        if took > self.limit_s:
            # All that waited through a pause have waited for the same thing.
            self._slow(started, paused or started >= self.pause_end)
        else:
            # Comparisons, not max() and min(): this is for each attempt.
            if started > self.fast_start:  # noqa: PLR1730
                self.fast_start = started
            self.fast += 1
            self.own.answers += 1
            self.together.answers += 1
            if self.late > self.waiting:  # noqa: PLR1730
                self.late = self.waiting
        if paused:
            self.pause_end = now

    def gave_up(self, started: float, now: float) -> None:
        """Nobody waits for the answer to an attempt any more."""
        if started < self.term:
            return
        self.waiting -= 1
        if self.waiting == 0:
            self.waited_s += now - self.waits_since
        if now - started > self.limit_s:
            self._slow(started, started >= self.pause_end)
        else:
            self.late = min(self.late, self.waiting)

    def _slow(self, started: float, counts: bool) -> None:
        if self.late > 0:
            # Counted while it waited.
            self.late -= 1
        elif counts:
            self.count_slow(1, started)

    def count_slow(self, number: int, started: float) -> None:
        """Count attempts that are too late, answered or not, and began at `started` or before."""
        self.slow_since.first_bad = min(self.slow_since.first_bad, started)
        self.slow += number
        self.own.answers += number
        self.own.slow += number
        self.together.answers += number
        self.together.slow += number

    def ended(self, started: float, code: int, how: int, now: float) -> bool:
        """An attempt has its final status; return whether that should be looked at at once."""
        if started < self.term or self.state == OUT:
            return False
        if how == LOCAL:
            return self._local(started, now)
        if not (self.failure_mask >> code) & 1:
            if started > self.good_start:  # noqa: PLR1730 - a comparison, for each attempt
                self.good_start = started
            self.ok += 1
            self.own.calls += 1
            self.together.calls += 1
            self.failed_run = 0
            self.local_run = 0
            if self.state == TRIAL and now - started <= self.limit_s:
                self.trial_good += 1
                return self.trial_good >= TRIAL_CALLS
            return False
        if code == status.DEADLINE_EXCEEDED and now - started <= self.limit_s < inf:
            # Who gives nobody the time that the others need learns nothing about this one.
            return False
        if self.failed_run == 0:
            self.mark_failures(self.run_since)
        self._fail(started)
        self.failed_run += 1
        if self.state == TRIAL:
            return True
        return 0 < self.most_failed <= self.failed_run

    def _local(self, started: float, now: float) -> bool:
        if now == self.local_at:
            return False
        self.local_at = now
        if self.local_run == 0:
            self.mark_failures(self.run_since)
        self._fail(started)
        self.local_run += 1
        return 0 < self.most_local <= self.local_run

    def _fail(self, started: float) -> None:
        self.run_since.first_bad = min(self.run_since.first_bad, started)
        self.failed_since.first_bad = min(self.failed_since.first_bad, started)
        self.failed += 1
        self.own.calls += 1
        self.own.failures += 1
        self.together.calls += 1
        self.together.failures += 1

    # what is looked at now and then

    def overdue(self, now: float) -> int:
        """Return how many of those that wait, at least, have waited for longer than a slow attempt takes."""
        limit = self.limit_s
        if limit == inf:
            return 0
        if self.newer_at == inf:
            self.newer_at = now
            self.newer_asked = self.asked
        elif now - self.newer_at > limit:
            self.mark_at = self.newer_at
            self.mark_asked = self.newer_asked
            self.newer_at = now
            self.newer_asked = self.asked
        if self.mark_at == inf:
            return 0
        return max(0, self.waiting - (self.asked - self.mark_asked))

    def count_overdue(self, now: float) -> None:
        """Count those that wait for too long as slow, once."""
        more = self.overdue(now) - self.late
        if more > 0:
            self.count_slow(more, self.mark_at)
            self.late += more

    def silent_s(self, now: float) -> float:
        """Return how long somebody has waited without any answer from the endpoint."""
        if self.unheard == 0:
            return 0.0
        waiting = now - self.waits_since if self.waiting > 0 else 0.0
        return self.waited_s + max(0.0, waiting)

    def take_in(self) -> None:
        """Move what was counted since the last look into the interval."""
        if self.failed + self.slow > 0:
            self.bad_interval = True
        self.ok_now += self.ok
        self.failed_now += self.failed
        self.fast_now += self.fast
        self.slow_now += self.slow
        self.ok = self.failed = self.fast = self.slow = 0

    def end_interval(self) -> None:
        """Begin another interval."""
        self.before = (self.ok_now, self.failed_now, self.fast_now, self.slow_now)
        self.ok_now = self.failed_now = self.fast_now = self.slow_now = 0
        self.times.fade()
        if self.state != IN:
            return
        if not self.bad_interval and self.times_out > 0:
            self.times_out -= 1
        self.bad_interval = False

    def calls(self) -> int:
        """Return the attempts with a final status of the last two intervals."""
        return self.ok + self.failed + self.ok_now + self.failed_now + self.before[0] + self.before[1]

    def failures(self) -> int:
        """Return the failures among `calls`."""
        return self.failed + self.failed_now + self.before[1]

    def answers(self) -> int:
        """Return the attempts whose time is known of the last two intervals."""
        return self.fast + self.slow + self.fast_now + self.slow_now + self.before[2] + self.before[3]

    def slow_ones(self) -> int:
        """Return the slow ones among `answers`."""
        return self.slow + self.slow_now + self.before[3]

    def room(self) -> int:
        """Return how many attempts it may have in flight, the cluster's own limit left aside."""
        if self.state == IN:
            return NO_LIMIT
        return 1 if self.state == OUT else 1 + self.trial_good // 2
