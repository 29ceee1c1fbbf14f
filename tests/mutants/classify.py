"""Mistakes that the tests of classification, of patterns and of rich errors must notice."""

from __future__ import annotations

MECHANISM = "classify"
TESTS = (
    "tests/unit/policy/test_classify.py",
    "tests/unit/policy/test_classify_rules.py",
    "tests/unit/policy/test_pattern.py",
    "tests/property/policy/test_pattern_model.py",
    "tests/unit/policy/test_rich_error.py",
)
MUTANTS = (
    (
        "seawall_policy/classify.py",
        "            if rule.matches(failure):\n",
        "            if rule.matches(failure) and index == len(self.rules) - 1:\n",
        "the last entry counts, not the first",
    ),
    (
        "seawall_policy/classify.py",
        "if category == UNKNOWN and (self._overridden >> failure.code) & 1 == 0:",
        "if (self._overridden >> failure.code) & 1 == 0:",
        "details overrule a code that says something",
    ),
    (
        "seawall_policy/classify.py",
        "if category == UNKNOWN and (self._overridden >> failure.code) & 1 == 0:",
        "if category == UNKNOWN:",
        "details overrule what the policy says of a code",
    ),
    (
        "seawall_policy/classify_rules.py",
        'if self.domain != "" and failure.domain() != self.domain:',
        "if False:",
        "any domain will do",
    ),
    (
        "seawall_policy/classify_rules.py",
        'if self.reason == "" and len(self.details) > 0:',
        "if len(self.details) > 0:",
        "a server's details are taken for our own failure's",
    ),
    (
        "seawall_policy/classify_rules.py",
        "status.percent_decode(self.message[:MAX_MESSAGE])",
        "status.percent_decode(self.message)",
        "patterns read messages of any length",
    ),
    (
        "seawall_policy/classify_rules.py",
        "return MID_STREAM if answered and phase == HEADERS else phase",
        "return phase",
        "a timeout in the middle of a response is told as one before it",
    ),
    (
        "seawall_policy/pattern.py",
        "        entries = [self._start]\n        for index in state.nodes:",
        "        entries = []\n        for index in state.nodes:",
        "a match has to begin where the text begins",
    ),
    (
        "seawall_policy/pattern.py",
        "                if at_begin:\n                    waiting.append(node.first)",
        "                waiting.append(node.first)",
        "`^` matches everywhere",
    ),
    (
        "seawall_policy/pattern.py",
        "return state.accepts or state.accepts_at_end",
        "return state.accepts",
        "`$` matches nowhere",
    ),
    (
        "seawall_policy/pattern.py",
        "            for _ in range(syntax.high - syntax.low):",
        "            for _ in range(syntax.high - syntax.low + 1):",
        "{m,n} allows one more",
    ),
    (
        "seawall_policy/pattern.py",
        "            bounds.add(high + 1)",
        "            bounds.add(high)",
        "the last character of a range is taken for one outside",
    ),
    (
        "seawall_policy/pattern.py",
        "                self._states = {}\n",
        "                pass\n",
        "states are remembered without a bound",
    ),
    (
        "seawall_policy/rich_error.py",
        "        if size > self.end - self.pos:\n            self.broken = True\n        else:",
        "        if size < 0:\n            self.broken = True\n        else:",
        "a length may reach beyond its message",
    ),
    (
        "seawall_policy/rich_error.py",
        "    if wire.broken or not told or seconds > _MAX_DELAY_S or nanos > _MAX_NANOS:",
        "    if wire.broken or not told:",
        "a negative delay is a very long one",
    ),
    (
        "seawall_policy/rich_error.py",
        "            if details <= MAX_DETAILS:",
        "            if details > 0:",
        "any number of details is looked at",
    ),
)
