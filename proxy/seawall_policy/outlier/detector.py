"""Outlier detection for one cluster: looks at the tallies of its endpoints, and says who is out and who is
back.

A look costs time in proportion to the endpoints, so that it is taken every 50 ms where there are up to fifty,
and less often where there are more; once no attempt has begun for two intervals there is none at all until
the next one begins. Failures in a row, and anything bad about an endpoint on trial, are looked at at once.

Whoever comes back is on trial: one attempt at a time at first, more as they go well, and a single bad one
sends it out again where the others have none. What it learned before does not count any more.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

from seawall_policy.outlier import options as settings
from seawall_policy.outlier.options import OutlierOptions
from seawall_policy.outlier.rates import above_the_threshold, below_the_mean
from seawall_policy.outlier.sequential import (
    CONFIRMED,
    CONFIRMED_ON_TRIAL,
    HEAD_START,
    THRESHOLD,
    confirmed,
    moved,
    share_of,
)
from seawall_policy.outlier.standing import (
    CONSECUTIVE,
    CONSECUTIVE_LOCAL,
    EJECTED,
    FAILURE_PERCENTAGE,
    FAILURE_SHARE,
    IN_SHADOW,
    LATENCY,
    NOT_DRAWN,
    OVERFLOW,
    RETURNED,
    SIBLING,
    SILENCE,
    SPARED,
    SUCCESS_RATE,
    SWITCHED_OFF,
    TIME_IS_UP,
    Verdict,
    ejection_s,
)
from seawall_policy.outlier.tally import IN, OUT, TRIAL, TRIAL_CALLS, Sum, Tally
from seawall_policy.outlier.times import BUCKETS, slow_from

LOOK_S: Final = 0.05
_LOOK_PER_ENDPOINT_S: Final = 0.001
_COMMON_SHARE: Final = 0.5
"""Where so large a share of the others' attempts fails, failures in a row are nobody's own."""
_LEAST_UNHEARD: Final = 2
_PATIENCE: Final = 5.0
"""So much longer may an endpoint be silent that was asked fewer than `min_calls` times: `least_request` soon
asks nobody who does not answer."""
TRIAL_S: Final = 5.0
"""A trial with nothing bad in it ends after this time, however few attempts there were."""
_QUIET_INTERVALS: Final = 2
_FEW: Final = 32
"""In a larger group an endpoint's own attempts make no difference to what is slow."""


class OutlierDetector:
    """The endpoints of one cluster. Told the time, given draws; what it decides waits in `verdicts`."""

    def __init__(self, options: OutlierOptions, draw: Callable[[], float], now: float) -> None:
        self.options: OutlierOptions = options
        self.members: list[Tally] = []
        self.verdicts: list[Verdict] = []
        """What nobody has taken yet, oldest first."""
        self.asleep: bool = True
        self._together: Sum = Sum()
        self._draw: Callable[[], float] = draw
        self._interval_ends: float = now + options.interval_s
        self._busy_at: float = now
        self._asked: int = -1
        """Attempts begun, and ended, at the last look."""

    # members and options

    def add(self, index: int, address: str, now: float) -> Tally:
        """Watch an endpoint; return what its attempts are to tell."""
        tally = Tally(index, address, self.options, self._together, now)
        tally.asleep = self.asleep
        self.members.append(tally)
        return tally

    def remove(self, tally: Tally) -> None:
        """Forget an endpoint that has left the cluster."""
        self.members.remove(tally)

    def configure(self, options: OutlierOptions, now: float) -> None:
        """Go by other options; what is known of endpoints stays, and intervals keep their phase."""
        elapsed = self.options.interval_s - (self._interval_ends - now)
        self._interval_ends = now + max(0.0, options.interval_s - max(0.0, elapsed))
        other_mode = self.options.mode != options.mode
        for tally in self.members:
            tally.configure(options)
            if options.latency.mode == settings.OFF:
                tally.limit_s = inf
            if other_mode and tally.state != IN:
                # It was out on paper only, or is from now on.
                self._return(tally, now, SWITCHED_OFF)
        self.options = options

    def release_all(self, now: float) -> None:
        """Let everybody back: nobody looks any more."""
        for tally in self.members:
            if tally.state != IN:
                self._return(tally, now, SWITCHED_OFF)
                tally.state = IN

    def release(self, tally: Tally, now: float, why: str) -> None:
        """End an ejection before its time."""
        if tally.state == OUT:
            self._return(tally, now, why)

    def follow(self, tally: Tally, until: float, now: float) -> None:
        """Do as another worker did that ejected this endpoint, if as many may be out."""
        if tally.state == OUT or until <= now or not self._may_eject(tally):
            return
        tally.times_out += 1
        self._put_out(tally, now, until, SIBLING)

    def out(self) -> int:
        """Return how many are ejected."""
        count = 0
        for tally in self.members:
            if tally.state == OUT:
                count += 1
        return count

    # time

    def wake(self, now: float) -> None:
        """Begin to look: an attempt has begun."""
        if not self.asleep:
            return
        self._set_asleep(False)
        self._busy_at = now
        if now < self._interval_ends:
            return
        intervals = 1 + int((now - self._interval_ends) / self.options.interval_s)
        self._interval_ends += intervals * self.options.interval_s
        for tally in self.members:
            tally.take_in()
            tally.end_interval()
            tally.forget_counts()
            if tally.state == IN:
                # Nothing bad has happened in them.
                tally.times_out = max(0, tally.times_out - intervals + 1)

    def _set_asleep(self, asleep: bool) -> None:
        self.asleep = asleep
        for tally in self.members:
            tally.asleep = asleep

    def next_deadline(self, now: float) -> float:
        """Return when `look` is due next; infinity when nothing happens by itself."""
        if not self.asleep:
            return now + max(LOOK_S, _LOOK_PER_ENDPOINT_S * len(self.members))
        earliest = inf
        for tally in self.members:
            if tally.state == OUT and tally.until < earliest:
                earliest = tally.until
        return earliest

    def look(self, now: float) -> None:
        """Look at everybody."""
        members = self.members
        for tally in members:
            if tally.state == OUT and now >= tally.until:
                self._return(tally, now, TIME_IS_UP)
            elif tally.state == TRIAL and now >= tally.until:
                tally.state = IN
        if self.asleep:
            return
        latency = self.options.latency.mode != settings.OFF
        if latency:
            for tally in members:
                if tally.state != OUT:
                    self._count_late(tally, now)
        self._weigh(members, now)
        if latency:
            self._find_silent(now)
        asked = 0
        for tally in members:
            asked += tally.asked + tally.ok + tally.failed + tally.ok_now + tally.failed_now
        if asked != self._asked:
            self._asked = asked
            self._busy_at = now
        if now >= self._interval_ends:
            self._end_interval(now)
        elif latency and len(self.members) <= _FEW and self._limits_are_missing():
            self._set_limits()
        if now - self._busy_at > _QUIET_INTERVALS * self.options.interval_s:
            self._set_asleep(True)

    def look_at(self, tally: Tally, now: float) -> None:
        """Look at one endpoint at once: it asked for it when an attempt ended."""
        if tally.state == OUT:
            return
        if tally.state == TRIAL and tally.trial_good >= TRIAL_CALLS:
            tally.state = IN
            return
        options = self.options
        if 0 < options.consecutive <= tally.failed_run:
            self._strike(tally, CONSECUTIVE, now)
        elif 0 < options.consecutive_local <= tally.local_run:
            self._strike(tally, CONSECUTIVE_LOCAL, now)
        else:
            self._weigh([tally], now)

    def _strike(self, tally: Tally, reason: str, now: float) -> None:
        since = tally.run_since
        if self._others_are_asked(tally):
            if not self._others_did_well(tally, since.first_bad):
                # As long as nobody has, this may be everybody's failure: the next one is looked at again.
                return
            calls = self._together.calls - tally.own.calls - since.others
            failures = self._together.failures - tally.own.failures - since.others_bad
            if failures >= _COMMON_SHARE * calls:
                tally.failed_run = 0
                tally.local_run = 0
                return
        self._try_to_eject(tally, reason, 1.0, now)

    def _others_are_asked(self, tally: Tally) -> bool:
        asked = 0
        for other in self.members:
            if other is not tally and other.state != OUT:
                asked += other.calls() + other.waiting
        return asked > 0

    # the sequential test

    def _weigh(self, tallies: list[Tally], now: float) -> None:
        """Let what `tallies` have counted since the last look move their scores."""
        calls = 0
        failures = 0
        answers: dict[int, int] = {}
        slow: dict[int, int] = {}
        for tally in self.members:
            if tally.state == OUT:
                continue
            calls += tally.calls()
            failures += tally.failures()
            group = tally.group
            answers[group] = answers.get(group, 0) + tally.answers()
            slow[group] = slow.get(group, 0) + tally.slow_ones()
        for tally in tallies:
            if tally.state == OUT:
                tally.take_in()
                continue
            self._weigh_failures(tally, calls - tally.calls(), failures - tally.failures())
            group = tally.group
            self._weigh_times(tally, answers[group] - tally.answers(), slow[group] - tally.slow_ones())
            tally.take_in()
            self._judge(tally, now)

    def _weigh_failures(self, tally: Tally, calls: int, failures: int) -> None:
        options = self.options.failure_share
        if tally.ok + tally.failed == 0 or calls < options.min_calls:
            return
        tally.failed_score = moved(
            tally.failed_score, tally.failed, tally.ok, options.share, share_of(failures, calls)
        )

    def _weigh_times(self, tally: Tally, answers: int, slow: int) -> None:
        options = self.options.latency
        if tally.fast + tally.slow == 0 or answers < options.min_calls:
            return
        tally.slow_score = moved(
            tally.slow_score, tally.slow, tally.fast, options.share, share_of(slow, answers)
        )

    def _judge(self, tally: Tally, now: float) -> None:
        options = self.options
        if tally.failed_score >= THRESHOLD:
            if self._fails_alone(tally):
                self._try_to_eject(tally, FAILURE_SHARE, options.failure_share.enforcement, now)
                return
            tally.failed_score = 0.0
        if tally.slow_score >= THRESHOLD:
            if self._is_slow_alone(tally):
                self._try_to_eject(tally, LATENCY, 1.0, now)
                return
            tally.slow_score = 0.0
        if tally.failed_score == 0.0:
            tally.mark_failures(tally.failed_since)
        if tally.slow_score == 0.0:
            tally.mark_answers(tally.slow_since)

    def _fails_alone(self, tally: Tally) -> bool:
        since = tally.failed_since
        own = tally.own
        together = self._together
        bad = own.failures - since.own_bad
        return self._others_did_well(tally, since.first_bad) and confirmed(
            bad,
            own.calls - since.own - bad,
            self.options.failure_share.share,
            together.failures - own.failures - since.others_bad,
            together.calls - own.calls - since.others,
            CONFIRMED if tally.state == IN else CONFIRMED_ON_TRIAL,
        )

    def _is_slow_alone(self, tally: Tally) -> bool:
        since = tally.slow_since
        own = tally.own
        together = self._together
        bad = own.slow - since.own_bad
        return self._others_were_fast(tally, since.first_bad) and confirmed(
            bad,
            own.answers - since.own - bad,
            self.options.latency.share,
            together.slow - own.slow - since.others_bad,
            together.answers - own.answers - since.others,
            CONFIRMED if tally.state == IN else CONFIRMED_ON_TRIAL,
        )

    def _others_did_well(self, tally: Tally, moment: float) -> bool:
        """Tell whether an attempt that began after `moment` has succeeded elsewhere: what happens to all at
        the same time never happens to one first, looked at like this.
        """
        latest = -inf
        for other in self.members:
            if other is not tally:
                latest = max(latest, other.good_start)
        return latest > moment

    def _others_were_fast(self, tally: Tally, moment: float) -> bool:
        """Tell the same about an answer in time."""
        latest = -inf
        for other in self.members:
            if other is not tally:
                latest = max(latest, other.fast_start)
        return latest > moment

    # what waits

    def _count_late(self, tally: Tally, now: float) -> None:
        if tally.state == TRIAL:
            if tally.silent_s(now) > max(2.0 * tally.limit_s, LOOK_S):
                # One at a time: others would have answered long ago.
                tally.count_slow(1, tally.waits_since)
                tally.waited_s = 0.0
                tally.waits_since = now
                if tally.waiting > tally.late:
                    tally.late += 1
            return
        if now - tally.last_answer <= max(2.0 * tally.limit_s, LOOK_S):
            tally.count_overdue(now)
        # One that says nothing at all may be back in a moment: that is a matter of silence.

    def _find_silent(self, now: float) -> None:
        options = self.options.latency
        for tally in self.members:
            if tally.state == OUT or tally.unheard < _LEAST_UNHEARD or tally.limit_s == inf:
                continue
            enough = tally.unheard >= options.min_calls
            patience = options.silence_s if enough else _PATIENCE * options.silence_s
            if tally.silent_s(now) < max(patience, 2.0 * tally.limit_s):
                continue
            since = tally.silent_since
            answers = self._together.answers - tally.own.answers - since.others
            slow = self._together.slow - tally.own.slow - since.others_bad
            if answers >= options.min_calls and confirmed(
                tally.unheard, 0, options.share, slow, answers, CONFIRMED
            ):
                self._try_to_eject(tally, SILENCE, 1.0, now)

    # intervals

    def _end_interval(self, now: float) -> None:
        options = self.options
        while self._interval_ends <= now:
            self._interval_ends += options.interval_s
        self._compare_rates(now)
        for tally in self.members:
            tally.end_interval()
        if options.latency.mode != settings.OFF:
            self._set_limits()

    def _compare_rates(self, now: float) -> None:
        options = self.options
        if options.success_rate is None and options.failure_percentage is None:
            return
        present: list[Tally] = []
        ok: list[int] = []
        failed: list[int] = []
        for tally in self.members:
            if tally.state != OUT:
                present.append(tally)
                ok.append(tally.ok_now)
                failed.append(tally.failed_now)
        rates = options.success_rate
        if rates is not None:
            for position in below_the_mean(ok, failed, rates):
                self._try_to_eject(present[position], SUCCESS_RATE, rates.enforcement, now)
        rates = options.failure_percentage
        if rates is not None:
            for position in above_the_threshold(ok, failed, rates):
                if present[position].state != OUT:
                    self._try_to_eject(present[position], FAILURE_PERCENTAGE, rates.enforcement, now)

    def _limits_are_missing(self) -> bool:
        longest = 0.0
        for tally in self.members:
            if tally.state != OUT:
                longest = max(longest, tally.limit_s)
        return longest == inf

    def _set_limits(self) -> None:
        """Compute what is slow for each endpoint from what the others in its group do."""
        groups: dict[int, list[Tally]] = {}
        for tally in self.members:
            groups.setdefault(tally.group, []).append(tally)
        for group in groups.values():
            self._set_limits_of(group)

    def _set_limits_of(self, group: list[Tally]) -> None:
        options = self.options.latency
        together = [0] * BUCKETS
        total = 0
        for tally in group:
            if tally.state != OUT and tally.times.total > 0:
                total += tally.times.total
                counts = tally.times.counts
                for bucket in range(BUCKETS):
                    together[bucket] += counts[bucket]
        limit = slow_from(together, total, options)
        for tally in group:
            if len(group) <= _FEW and tally.state != OUT and tally.times.total > 0:
                counts = tally.times.counts
                others = list(together)
                for bucket in range(BUCKETS):
                    others[bucket] -= counts[bucket]
                limit = slow_from(others, total - tally.times.total, options)
            elif len(group) <= _FEW:
                limit = slow_from(together, total, options)
            if limit < inf:
                tally.limit_s = limit

    # ejections

    def _may_eject(self, tally: Tally) -> bool:
        out = 0
        others = 0
        for other in self.members:
            if other.state == OUT:
                out += 1
            elif other is not tally and other.reachable:
                others += 1
        return others > 0 and out < self.options.most_out(len(self.members))

    def _try_to_eject(self, tally: Tally, reason: str, enforcement: float, now: float) -> None:
        options = self.options
        if enforcement < 1.0 and self._draw() >= enforcement:
            self._spare(tally, reason, NOT_DRAWN, now)
        elif not self._may_eject(tally):
            self._spare(tally, reason, OVERFLOW, now)
        elif options.latency.mode == settings.SHADOW and reason in (LATENCY, SILENCE):
            self._spare(tally, reason, IN_SHADOW, now)
        else:
            tally.times_out += 1
            until = now + ejection_s(tally.times_out, options, self._draw() if options.jitter > 0.0 else 0.0)
            self._put_out(tally, now, until, reason)

    def _put_out(self, tally: Tally, now: float, until: float, reason: str) -> None:
        tally.begin_term(now, 0.0)
        tally.state = OUT
        tally.until = until
        tally.why = reason
        tally.bad_interval = True
        spared = IN_SHADOW if self.options.mode == settings.SHADOW else ""
        kind = SPARED if spared != "" else EJECTED
        self.verdicts.append(
            Verdict(kind, tally.index, tally.address, reason, now, until, tally.times_out, spared)
        )

    def _spare(self, tally: Tally, reason: str, why: str, now: float) -> None:
        """Count an outlier that stays; it has to be one again to be counted again."""
        if reason in (CONSECUTIVE, CONSECUTIVE_LOCAL):
            tally.failed_run = 0
            tally.local_run = 0
        elif reason == FAILURE_SHARE:
            tally.failed_score = 0.0
        elif reason in (LATENCY, SILENCE):
            tally.slow_score = 0.0
            tally.unheard = 0
            tally.waited_s = 0.0
            tally.waits_since = now
        self.verdicts.append(
            Verdict(SPARED, tally.index, tally.address, reason, now, 0.0, tally.times_out, why)
        )

    def _return(self, tally: Tally, now: float, why: str) -> None:
        told = tally.state == OUT and self.options.mode == settings.ENFORCE
        reason = tally.why
        tally.begin_term(now, HEAD_START)
        tally.state = TRIAL
        tally.until = now + TRIAL_S
        tally.bad_interval = False
        if told:
            self.verdicts.append(
                Verdict(RETURNED, tally.index, tally.address, reason, now, 0.0, tally.times_out, why)
            )
