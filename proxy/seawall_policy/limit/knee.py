"""The limit at the knee: as many calls at work as keep the service busy, and not many more.

A service that is not busy takes its own time for each call, however many it has; one that is busy does its
so many a second, and each further call only makes all of them wait longer. The limit wanted lies a little
beyond the point between the two. By Little's law, rate = calls at work / time, so the limit

    L = rate x T

lets each call be at work for T, once the service is busy; while it is not, the rate is below its capacity and
L grows with it. This needs no pause to measure the least time, unlike Envoy's gradient, and no thresholds in
numbers of calls, unlike Vegas. T is `TIMES` the time that a call takes when the service has little to do
(the *base*), so that several servers behind the limit stay busy although calls are spread unevenly; at least
`FLOOR_S`, below which waiting is of no interest; at most a third of the time that callers give, so that the
answer is in time; and never so short that the service could not be busy (`LEAST` times the base).

Only a limit that is reached is moved. What else is judged:

- *Nobody waits for a place.* The limit follows the calls at work from afar (`HEADROOM`), so that an overload
  meets one that is not far too high. When the time exceeds T although nobody waits, either the service has
  become slower or an overload begins: no more than now are let in, which ends the one and leaves the other.
- *Those that end take far less time than Little's law says.* The others do not wait for their turn: they hang
  at an endpoint that has stopped, for example. They take places and no capacity, so the limit doubles, and
  the calls to the endpoints that work go on.
- *The time is the base.* There is no sign of a queue: the limit doubles, in each round trip.
- *The rate is far below what it was.* A service in overload does at least what it did before; when it does
  less with all places taken, it has become slower and needs more of them. The limit doubles, and if that
  brings nothing, the rate of before is forgotten.
- *Less at work, and not faster.* A queue gets shorter when less is let in. If a call takes as long as before
  with half the calls at work, there is none, and its time is the new base.
- *More losses than successes.* Half as many.

The sources of the parts: Little (1961); BBR (rate and time instead of loss; Cardwell et al., ACM Queue 2016);
Netflix concurrency-limits (samples, and what counts as loss).
"""

from __future__ import annotations

from typing import Final

from seawall_policy.limit.algorithm import Algorithm
from seawall_policy.limit.options import LimitOptions
from seawall_policy.limit.window import Window

TIMES: Final = 10.0
FLOOR_S: Final = 0.025
LEAST: Final = 1.5
SHARE: Final = 3.0
"""A call may be at work for one part in so many of the time that its caller gives."""

FEW: Final = 8
"""Samples that say something when what they say is clear."""
ENOUGH: Final = 30
"""Samples whose mean is good for a fifth."""
TURNS: Final = 2.0
"""Round trips of a window: in fewer of them, those that end are the quick ones."""
SHORTEST_S: Final = 0.01
CLEAR: Final = 3.0
"""Times T, from which a few samples are clear."""

RESTING: Final = 24.0
"""Whatever the service has needed so far, so many may come at once."""
HEADROOM: Final = 4.0
HALF_LIFE_S: Final = 10.0
"""In which half of the memory of the most calls at work, and of the best rate, is gone."""
HOLD: Final = 1.25
CALM: Final = 1.3
"""Times the base, up to which there is no sign of a queue."""
HANGING: Final = 4.0
"""Times the mean of those that end, from which those at work cannot be waiting behind each other."""
SLOWER: Final = 0.7
"""Share of the best rate, below which a service with all places taken has become slower."""
HELPED: Final = 1.2
LESS: Final = 0.6
"""Share of the calls at work that is a test of whether there is a queue."""
MOST_DOWN: Final = 0.5
UP: Final = 2.0
MOST_UP: Final = 8.0
DRIFT: Final = 0.05
"""Weight of a window in the base when it is slower."""
SMOOTHING: Final = 0.5
HASTE: Final = 0.02
"""Weight of a call in the time that callers give."""
_LEAST_REMAINING_S: Final = 0.001


class Knee(Algorithm):
    """Times in seconds, rates in calls a second."""

    def __init__(self, options: LimitOptions) -> None:
        super().__init__(options)
        self.base_s: float = 0.0
        """How long a call takes when the service has little to do; 0.0 when not known."""
        self.hurry: float = 0.0
        """Mean of 1 / the time that callers give: one in a hurry counts for more than one that is not."""
        self._rate: float = 0.0
        self._best: float = 0.0
        self._best_at: float = 0.0
        self._tried: float = 0.0
        self._peak: float = 0.0
        self._peak_at: float = 0.0
        self._before: float = 0.0
        self._before_s: float = 0.0
        """Calls at work, and the time, when the limit began to go down; 0.0: it does not."""

    def arrived(self, remaining_s: float) -> None:
        """Learn how much time a call has that arrives; infinity counts as well."""
        self.hurry += HASTE * (1.0 / max(remaining_s, _LEAST_REMAINING_S) - self.hurry)

    def is_over(self, window: Window, now: float) -> bool:
        """Tell whether a window has what it needs to be judged."""
        ended = window.count + window.drops
        if ended < FEW:
            return False
        spent = now - window.started
        if spent < SHORTEST_S:
            return False
        mean = window.mean_s()
        if spent < mean:
            return False
        if self.base_s == 0.0 or window.drops * 2 > ended:
            return True
        if ended < ENOUGH:
            return spent >= TURNS * mean and mean > CLEAR * self.target_s()
        return spent >= TURNS * mean or mean <= CALM * self.base_s

    def target_s(self) -> float:
        """Return T."""
        target = max(TIMES * self.base_s, FLOOR_S)
        if self.hurry > 0.0:
            target = min(target, 1.0 / (SHARE * self.hurry))
        return max(target, LEAST * self.base_s)

    def update(self, window: Window, now: float) -> None:
        """Change the limit after a window that has ended."""
        if window.drops > window.count:
            self._rate = 0.0
            self._before_s = 0.0
            self.set_limit(MOST_DOWN * min(self.limit, float(window.peak)))
        elif window.limited * 2 > window.count:
            self._reached(window, now)
        else:
            self._not_reached(window, now)

    def _not_reached(self, window: Window, now: float) -> None:
        mean = window.mean_s()
        self._remember_rate(window.done / (now - window.started), now)
        self._rate = 0.0
        self._tried = 0.0
        self._before_s = 0.0
        if self.base_s == 0.0 or mean < self.base_s:
            self.base_s = mean
        else:
            self.base_s += DRIFT * (mean - self.base_s)
        faded = self._peak * _faded(now - self._peak_at)
        self._peak = max(float(window.peak), faded)
        self._peak_at = now
        if mean <= self.target_s():
            self.set_limit(min(self.limit, max(RESTING, HEADROOM * self._peak)))
        else:
            self.set_limit(min(self.limit, max(RESTING, HOLD * window.peak)))

    def _reached(self, window: Window, now: float) -> None:
        at_work = window.in_flight / window.count
        rate = window.done / (now - window.started)
        self._rate = rate if self._rate == 0.0 else self._rate + SMOOTHING * (rate - self._rate)
        # Not the mean of the samples: those that end within a window are the quick ones.
        time_s = at_work / self._rate
        if self.base_s == 0.0 or time_s < self.base_s:
            self.base_s = time_s
        if time_s > HANGING * window.mean_s():
            self._grow(UP * at_work)
            return
        if window.mean_s() <= CALM * self.base_s:
            self._grow(max(UP * at_work, min(self._rate * self.target_s(), MOST_UP * self.limit)))
            return
        if time_s > self.target_s() and self._is_slower(rate, now):
            self._tried = rate
            self._grow(UP * at_work)
            return
        self._remember_rate(rate, now)
        # Not smoothed: it compares this window with an earlier one.
        self._look_for_queue(at_work, at_work / rate)
        self.set_limit(max(self._rate * self.target_s(), MOST_DOWN * self.limit))

    def _grow(self, limit: float) -> None:
        self._rate = 0.0
        self._before_s = 0.0
        self.set_limit(limit)

    def _is_slower(self, rate: float, now: float) -> bool:
        """Tell whether the service does much less than it did, and whether more calls at work may help."""
        tried = self._tried
        self._tried = 0.0
        if tried > 0.0 and rate < HELPED * tried:
            # More calls at work have brought nothing: this is all that it can do now.
            self._best = rate
            self._best_at = now
            return False
        return rate < SLOWER * self._best * _faded(now - self._best_at)

    def _remember_rate(self, rate: float, now: float) -> None:
        faded = self._best * _faded(now - self._best_at)
        # A window's rate is good for a fifth; the best of many would be too good.
        self._best = max(faded, faded + SMOOTHING * (rate - faded))
        self._best_at = now

    def _look_for_queue(self, at_work: float, time_s: float) -> None:
        if time_s <= self.target_s():
            self._before_s = 0.0
        elif self._before_s == 0.0:
            self._before = at_work
            self._before_s = time_s
        elif at_work <= LESS * self._before:
            if time_s > self._before_s * (1.0 + at_work / self._before) / 2.0:
                self.base_s = time_s
            self._before_s = 0.0


def _faded(seconds: float) -> float:
    """Return what is left after some time of something remembered."""
    left: float = 0.5 ** (seconds / HALF_LIFE_S)
    return left
