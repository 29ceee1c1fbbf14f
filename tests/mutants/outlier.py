"""Mistakes that the tests of outlier detection must notice."""

from __future__ import annotations

MECHANISM = "outlier"
TESTS = ("tests/property/policy/test_outlier_model.py", "tests/unit/policy/test_outlier.py")
MUTANTS = (
    (
        "seawall_policy/outlier/standing.py",
        "options.ejection_s * times_out, longest",
        "options.ejection_s * (times_out + 1), longest",
        "ejections are longer by one than they should be (envoy #37602)",
    ),
    (
        "seawall_policy/outlier/standing.py",
        "longest = max(options.ejection_s, options.max_ejection_s)",
        "longest = options.max_ejection_s",
        "a ceiling below the first ejection shortens it",
    ),
    (
        "seawall_policy/outlier/tally.py",
        "        self.failed_run = 0\n        self.local_run = 0\n        self.failed_score = score",
        "        self.failed_score = score",
        "the run of failures survives an ejection (envoy #40697)",
    ),
    (
        "seawall_policy/outlier/tally.py",
        "if started < self.term or self.state == OUT:",
        "if self.state == OUT:",
        "attempts from before an ejection count after it",
    ),
    (
        "seawall_policy/outlier/tally.py",
        "        if now == self.local_at:\n            return False\n",
        "",
        "everything on one lost connection counts",
    ),
    (
        "seawall_policy/outlier/tally.py",
        "if code == status.DEADLINE_EXCEEDED and now - started <= self.limit_s < inf:",
        "if False:",
        "deadlines that nobody can keep count as failures",
    ),
    (
        "seawall_policy/outlier/tally.py",
        "return max(0, self.waiting - (self.asked - self.mark_asked))",
        "return self.waiting",
        "attempts that have only begun count as overdue",
    ),
    (
        "seawall_policy/outlier/tally.py",
        "return 1 if self.state == OUT else 1 + self.trial_good // 2",
        "return NO_LIMIT",
        "an endpoint on trial gets everything at once",
    ),
    (
        "seawall_policy/outlier/tally.py",
        "if not self.bad_interval and self.times_out > 0:",
        "if self.times_out > 0:",
        "ejections shrink while the endpoint goes on failing",
    ),
    (
        "seawall_policy/outlier/options.py",
        "return min(allowed, members - 1)",
        "return allowed",
        "the last endpoint may be ejected",
    ),
    (
        "seawall_policy/outlier/options.py",
        "allowed = max(1, int(",
        "allowed = max(0, int(",
        "a small share allows nobody to be ejected",
    ),
    (
        "seawall_policy/outlier/detector.py",
        "elif other is not tally and other.reachable:",
        "elif other is not tally:",
        "the last one that can be reached may be ejected",
    ),
    (
        "seawall_policy/outlier/detector.py",
        "if not self._others_did_well(tally, since.first_bad):",
        "if False:",
        "failures that all go through eject somebody",
    ),
    (
        "seawall_policy/outlier/detector.py",
        "if enforcement < 1.0 and self._draw() >= enforcement:",
        "if False:",
        "enforcement is not drawn",
    ),
    (
        "seawall_policy/outlier/detector.py",
        "        tally.begin_term(now, HEAD_START)\n",
        "        tally.begin_term(now, 0.0)\n",
        "a bad endpoint on trial is given the benefit of the doubt",
    ),
    (
        "seawall_policy/outlier/detector.py",
        "self._interval_ends = now + max(0.0, options.interval_s - max(0.0, elapsed))",
        "self._interval_ends = now + options.interval_s",
        "another configuration begins the interval anew",
    ),
    (
        "seawall_policy/outlier/detector.py",
        "groups.setdefault(tally.group, []).append(tally)",
        "groups.setdefault(0, []).append(tally)",
        "endpoints of different zones are compared by time",
    ),
    (
        "seawall_policy/outlier/sequential.py",
        "return max(share, min(_MOST_SHARE, _CONTRAST * others))",
        "return share",
        "what is looked for does not follow the others",
    ),
    (
        "seawall_policy/outlier/sequential.py",
        "return max(0.0, score + step)",
        "return score + step",
        "long peace is a credit",
    ),
    (
        "seawall_policy/outlier/rates.py",
        "least = mean - options.threshold * sqrt(variance / count)",
        "least = mean - options.threshold * sqrt(variance / (count - 1))",
        "the standard deviation is that of a sample",
    ),
    (
        "seawall_policy/outlier/rates.py",
        "if share > options.threshold:",
        "if share >= options.threshold:",
        "a share at the threshold ejects",
    ),
)
