# ruff: noqa: E501 - a mutant is one line
"""Ways to break limits, each of which a test must notice."""

from __future__ import annotations

MECHANISM = "limit"
TESTS = (
    "tests/unit/policy/test_limit.py",
    "tests/property/policy/test_limit_model.py",
    "tests/property/policy/test_fair_share_model.py",
    "tests/scenario/test_fair_share.py",
)
MUTANTS = (
    (
        "seawall_policy/limit/fair.py",
        "                or tenant.held < found.held\n",
        "",
        "it goes round among tenants, however much they hold",
    ),
    (
        "seawall_policy/limit/fair.py",
        "                or (tenant.held == found.held and tenant.turn < found.turn)\n",
        "",
        "of tenants that hold equally many the same one is always first",
    ),
    (
        "seawall_policy/limit/fair.py",
        "        if tenant.held == 0 and tenant.waiting == 0 and self._known.get(tenant.key) is tenant:\n",
        "        if tenant.held == 0 and self._known.get(tenant.key) is tenant:\n",
        "a tenant that only waits is forgotten, and comes to be two",
    ),
    (
        "seawall_policy/limit/queue.py",
        "            place = self._of_longest(lines, own + 1, standing)\n",
        "            place = self._of_longest(lines, own, standing)\n",
        "calls of two tenants drive each other out of a full queue",
    ),
    (
        "seawall_policy/limit/gate.py",
        "        calm = self.queue.length == 0 and now >= self._shedding_until\n",
        "        calm = self.queue.length == 0\n",
        "optional calls come back with every place that is free",
    ),
    (
        "seawall_policy/limit/options.py",
        '            f"{self.queue_timeout_s} {self.shares} {fair}"\n',
        '            f"{self.queue_timeout_s} {self.shares} {fair} {self.criticality}"\n',
        "classes do not share a limit",
    ),
    ("seawall_policy/limit/gate.py", "        return self.in_flight < self.limit\n", "        return self.in_flight <= self.limit\n", "one call too many enters"),
    ("seawall_policy/limit/gate.py", "        self._held[place.criticality] -= 1\n", "", "a class's places are never free again"),
    ("seawall_policy/limit/gate.py", "            self._free(place)\n            place.state = LONG\n", "            place.state = LONG\n", "a long call goes on counting"),
    ("seawall_policy/limit/gate.py", "        if state == WAITING:\n            self._leave_queue(place)\n            return\n", "", "a cancelled call stays in the queue"),
    ("seawall_policy/limit/gate.py", "        elif state != ANSWERED:\n            return\n", "", "a call that has gone is counted again"),
    ("seawall_policy/limit/gate.py", "        if place.epoch != self._epoch:\n            return\n", "", "calls of an older limit teach"),
    ("seawall_policy/limit/gate.py", "        if self.usual_s > place.deadline - now:\n            return self._refuse(place)\n", "", "a hopeless call is let wait"),
    ("seawall_policy/limit/gate.py", "            if spare > 0:\n                room -= spare\n", "", "nothing is left for those who are sure of it"),
    ("seawall_policy/limit/gate.py", "        if self._has_shares and self._is_below_share(criticality):\n            return True\n", "", "a share is no guarantee"),
    ("seawall_policy/limit/queue.py", "        return chain.newest() if self.is_standing(now) else chain.oldest()\n", "        return chain.oldest()\n", "a standing queue serves the oldest"),
    ("seawall_policy/limit/queue.py", "            self.filled_since = now\n", "            pass\n", "no queue is ever a standing one"),
    ("seawall_policy/limit/queue.py", "        for other in range(CLASSES - 1, criticality, -1):\n", "        for other in range(CLASSES - 1, -1, -1):\n", "an equal call is dropped"),
    ("seawall_policy/limit/queue.py", "first.deadline - needs_s)", "first.deadline)", "the timer forgets what a call needs"),
    ("seawall_policy/limit/place.py", "        self.length -= 1\n", "        self.length -= 2\n", "a chain miscounts"),
    ("seawall_policy/limit/knee.py", "        if time_s > HANGING * window.mean_s():\n", "        if False:\n", "calls that hang look like a queue"),
    ("seawall_policy/limit/knee.py", "        return max(target, LEAST * self.base_s)\n", "        return target\n", "callers in a hurry starve the service"),
    ("seawall_policy/limit/knee.py", "                self.base_s = time_s\n            self._before_s", "                pass\n            self._before_s", "a slower service is never learned"),
    ("seawall_policy/limit/aimd.py", "window.peak * 2 >= self.limit", "True", "a limit that is not used grows"),
    ("seawall_policy/limit/gradient.py", "gradient * self.limit + sqrt(self.limit)", "gradient * self.limit", "no room to grow"),
    ("seawall_policy/limit/vegas.py", "        if window.peak * 2 < limit:\n            return\n", "", "a limit that is not used grows"),
)  # fmt: skip
