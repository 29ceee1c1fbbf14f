"""Mistakes where two mechanisms meet in one call; the tests of their interplay must notice each."""

from __future__ import annotations

MECHANISM = "interplay"
TESTS = ("tests/scenario/test_interplay.py", "tests/scenario/test_idempotency.py")
_ATTEMPT = "seawall_proxy/call/attempt.py"
_CALL = "seawall_proxy/call/call.py"
_HEDGE = "seawall_proxy/call/call_hedge.py"
_RESPONSE = "seawall_proxy/call/call_response.py"
_FALLBACK = "seawall_proxy/call/call_fallback.py"
_ADMISSION = "seawall_proxy/call/call_admission.py"
MUTANTS = (
    (
        _ATTEMPT,
        "            self.paid_from.give_back()\n",
        "            pass\n",
        "a retry is at work for ever",
    ),
    (
        _HEDGE,
        "            attempt.paid_from = state.budget\n",
        "            pass\n",
        "a retry is at work until its attempt begins",
    ),
    (
        _HEDGE,
        "        if self.paid and not hedge:\n",
        "        if self.paid:\n",
        "a hedge takes the place that a retry has paid for",
    ),
    (
        _RESPONSE,
        "            self.retry_called_off()\n",
        "            pass\n",
        "a retry that is not needed stays in the budget as long as the answer lasts",
    ),
    (
        _CALL,
        "            if not self._calls_off(attempt, code, block, extra):\n",
        "            if True:\n",
        "an answer waits for a retry",
    ),
    (
        _HEDGE,
        "== FATAL or run.stopped\n",
        "== FATAL\n",
        "a retry is made although a server has asked for no further attempt",
    ),
    (
        _HEDGE,
        "        if told == retry.PUSHBACK_STOP:\n            self.retry_at = NEVER\n",
        "",
        "a pushback that says stop leaves the retry that waits",
    ),
    (
        _CALL,
        "            told = retry.PUSHBACK_STOP\n",
        "            pass\n",
        "a pushback that says stop is about one attempt only",
    ),
    (
        _FALLBACK,
        "        return self._is_declared_idempotent()\n",
        "        return self._idempotent()\n",
        "a key is taken for known where it is not",
    ),
    (
        _ADMISSION,
        "            began = max(seat.since, self.asked_at)\n",
        "            began = seat.since\n",
        "a wait in the journal counts as time at work",
    ),
)
