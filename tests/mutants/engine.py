"""Mutants of the call machine that the simulators must notice by their invariants alone."""

MECHANISM = "engine"
TESTS = ("tests/simulation/test_engine.py",)
_ATTEMPT = "seawall_proxy/call/attempt.py"
_CALL = "seawall_proxy/call/call.py"
_BREAKER = "seawall_policy/breaker/machine.py"
_PROBING = "seawall_policy/breaker/probing.py"
_RETRY = "seawall_policy/retry.py"
_BUDGET = "seawall_policy/budget.py"
MUTANTS = (
    (
        _ATTEMPT,
        "        self.cluster.load.in_flight -= 1",
        "        pass",
        "a cluster's place is never given back",
    ),
    (
        _ATTEMPT,
        "            self.stream = None\n            stream.reset(CANCEL)\n        else:",
        "            self.stream = None\n        else:",
        "a service is not told that an attempt was taken back",
    ),
    (
        _BREAKER,
        "        if permit != self.epoch:\n            return False\n",
        "",
        "stragglers teach the state after theirs",
    ),
    (_PROBING, "        self.probes_in_flight += 1\n", "", "any number of probes is let through"),
    (
        _RETRY,
        "if self.attempts >= options.max_attempts:",
        "if self.attempts >= options.max_attempts + 3:",
        "attempts beyond the policy's number",
    ),
    (
        _RETRY,
        "if options.only_idempotent and not idempotent and seen == SEEN:",
        "if not idempotent and seen == UNSENT:",
        "what is not idempotent is carried out twice",
    ),
    (
        _BUDGET,
        "if self._reserve + self._sum < _RETRY:",
        "if self._reserve + self._sum < -3 * _RETRY:",
        "a budget is overdrawn",
    ),
    (
        _CALL,
        "        if now >= self.deadline:\n            self._call_is_late(",
        "        if now >= self.deadline + 0.5:\n            self._call_is_late(",
        "calls outlive their deadline",
    ),
)
