"""HALF_OPEN: a few calls go through, and what becomes of them decides."""

from __future__ import annotations

from math import inf

from seawall_policy import status
from seawall_policy.breaker.rules import PROBES_FAILED, PROBES_PASSED, RECOVERING
from seawall_policy.breaker.state import BreakerState
from seawall_policy.window import FAILED, SLOW, SUCCESS


class Probing(BreakerState):
    """A breaker's probes."""

    def _may_probe(self) -> bool:
        return self.probes_in_flight < self.options.half_open_calls

    def _admit_probe(self, now: float) -> int:
        """Give out the permit of a probe."""
        if self._probe_deadline == inf and self.options.half_open_timeout_s > 0.0:
            self._probe_deadline = now + self.options.half_open_timeout_s
        self.probes_in_flight += 1
        self.in_flight += 1
        return self.epoch

    def _learn_from_probe(self, outcome: int, code: int, now: float) -> None:
        """Count a probe's result and decide as soon as the decision is certain."""
        options = self.options
        if outcome & FAILED:
            self._probe_failures += 1
            if code != status.RESOURCE_EXHAUSTED:
                self.consecutive += 1
        else:
            self.consecutive = 0
        if outcome & SLOW:
            self._probe_slow += 1
        if outcome == SUCCESS:
            self.probes_passed += 1
            if self.probes_passed >= options.success_threshold:
                self._move(RECOVERING if options.ramp_for_s > 0.0 else PROBES_PASSED, now, "probes_passed")
            return
        self.probes_not_passed += 1
        sample = max(options.half_open_calls, options.success_threshold)
        if (
            sample - self.probes_not_passed < options.success_threshold
            or 0 < options.consecutive <= self.consecutive
            or (options.failure_rate > 0.0 and self._probe_failures * 100.0 >= options.failure_rate * sample)
            or (options.slow_call_rate > 0.0 and self._probe_slow * 100.0 >= options.slow_call_rate * sample)
        ):
            self._move(PROBES_FAILED, now, "probes_failed")
