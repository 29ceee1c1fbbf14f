"""Ways to get the journal of idempotency keys wrong."""

MECHANISM = "journal"
TESTS = (
    "tests/unit/policy/test_journal.py",
    "tests/unit/policy/test_kept_answer.py",
    "tests/scenario/test_idempotency.py",
    "tests/property/policy/test_journal_model.py",
)
_POLICY = "seawall_policy/journal.py"
_CALL = "seawall_proxy/call/call_keyed.py"
MUTANTS = (
    (
        _POLICY,
        "return BUSY if work.request == request else REUSED",
        "return BUSY",
        "another request waits for an answer that is not its own",
    ),
    (
        _POLICY,
        "return ANSWERED if kept.request == request else REUSED",
        "return ANSWERED",
        "another request gets an answer that is not its own",
    ),
    (_POLICY, "now - entry.at < options.ttl_s", "now - entry.at <= options.ttl_s", "kept a moment too long"),
    (
        _POLICY,
        "and len(kept) <= options.max_entries",
        "and len(kept) <= options.max_entries + 1",
        "one answer more than allowed",
    ),
    (_POLICY, "            self.bytes -= entry.size\n", "", "forgotten answers count for ever"),
    (
        _POLICY,
        "        del work.waiters[heir]\n",
        "",
        "the heir waits for itself",
    ),
    (
        _POLICY,
        "        if len(work.waiters) == 0:\n            del self._work[key]\n            return\n",
        "        if len(work.waiters) == 0:\n            return\n",
        "a key whose owner gave up is at work for ever",
    ),
    (
        _POLICY,
        "work = self._work.pop(key)",
        "work = self._work[key]",
        "a key that was answered is at work for ever",
    ),
    (_POLICY, "        status.UNAVAILABLE,\n", "", "an outage is kept as the answer"),
    (
        _POLICY,
        "            parts.append(optional(values[index]))\n",
        "",
        "one caller gets another's answer",
    ),
    (
        _POLICY,
        "        if len(self._work) >= self.options.max_entries:\n            return FULL\n",
        "",
        "keys at work without a bound",
    ),
    (
        "seawall_policy/kept_answer.py",
        'digest.update(len(part).to_bytes(8, "big"))',
        "digest.update(b'')",
        "two lists of values meet in one key",
    ),
    (
        _CALL,
        "        self.asked_at = now\n        self._rearm()\n",
        "        self.asked_at = now\n        self._start_attempt()\n",
        "each that takes over stands on the stack of the one before",
    ),
    (
        _CALL,
        "if ticket is None or (rules.TRANSIENT >> code) & 1:",
        "if ticket is None:",
        "whatever comes is kept",
    ),
    (
        _CALL,
        "        self.maybe_executed = True\n",
        "",
        "what was carried out is carried out again by a fallback's cluster",
    ),
    (
        _CALL,
        '        if code != status.OK and self._fall_back(code, ""):\n            return\n',
        "",
        "a replayed failure is not covered by the fallbacks",
    ),
    (
        "seawall_proxy/call/call_end.py",
        "            self.ticket.close()\n",
        "            pass\n",
        "a call that ends without an answer keeps its key",
    ),
    (
        "seawall_proxy/call/call_fallback.py",
        "            self.stream.consume(size)\n",
        "",
        "no credit for an awaited request, so the rest of it never comes",
    ),
)
