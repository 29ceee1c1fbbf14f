"""Mutants of the windows that breakers remember with."""

MECHANISM = "window"
TESTS = ("tests/property/policy/test_window_model.py", "tests/unit/policy/test_window.py")
_F = "seawall_policy/window.py"
MUTANTS = (
    (
        _F,
        "self.failures -= oldest & FAILED",
        "self.failures -= oldest >> 1",
        "what leaves is taken off the wrong sum",
    ),
    (
        _F,
        "self._next = at if at < self._size else 0",
        "self._next = at if at <= self._size - 2 else 0",
        "the ring is one short",
    ),
    (
        _F,
        "if steps >= self._size:",
        "if steps >= self._size - 1:",
        "a pause shorter than the window forgets everything",
    ),
    (
        _F,
        "        if steps <= 0:\n            return\n        self._second = second\n",
        "        self._second = second\n        if steps <= 0:\n            return\n",
        "time that runs back moves the window",
    ),
    (
        _F,
        "            self._drop(self._at)",
        "            self.calls -= self._calls[self._at]",
        "seconds that leave keep their failures",
    ),
    (
        _F,
        "        if self.calls == self._size:",
        "        if self.calls >= self._size - 1:",
        "a window takes away before it is full",
    ),
    (
        _F,
        "return self.failures * 100.0 / self.calls if self.calls else -1.0",
        "return self.failures * 100.0 / self.calls if self.calls else 0.0",
        "no calls look like no failures",
    ),
    (
        _F,
        "            self._slow[at] += 1",
        "            self._slow[0] += 1",
        "slow calls are kept in the wrong second",
    ),
)
