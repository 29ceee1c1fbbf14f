"""The journal of idempotency keys against a table of everything that was ever said."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from seawall_policy import journal as rules
from seawall_policy.journal import Journal, JournalOptions, Waiter
from seawall_policy.kept_answer import OVERHEAD_BYTES, KeptAnswer

UNIT = 50
TTL_S = 3.0
COST = 2 * OVERHEAD_BYTES
"""What an empty answer counts for, as an entry and by itself."""

STEPS = st.lists(
    st.tuples(
        st.sampled_from(("ask", "ask", "ask", "settle", "abandon", "leave")),
        st.sampled_from((b"a", b"b", b"c")),
        st.sampled_from((b"r", b"s")),
        st.integers(0, 4),
        st.sampled_from((0.0, 0.0, 1.0, 2.0)),
    ),
    max_size=60,
)


class Caller(Waiter):
    """Notes what it hears."""

    def __init__(self) -> None:
        self.heard: KeptAnswer | None = None
        self.owns: bool = False

    def answered(self, answer: KeptAnswer) -> None:
        assert self.heard is None
        assert not self.owns
        self.heard = answer

    def take_over(self) -> None:
        assert not self.owns
        self.owns = True


class Model:
    """Says plainly what a journal is."""

    def __init__(self, entries: int, memory: int) -> None:
        self.entries = entries
        self.memory = memory
        self.at_work: dict[bytes, tuple[bytes, list[Caller]]] = {}
        self.kept: list[tuple[bytes, bytes, KeptAnswer, float]] = []

    def trim(self, now: float) -> None:
        self.kept = [entry for entry in self.kept if now - entry[3] < TTL_S]
        while len(self.kept) > self.entries or self.weight() > self.memory:
            self.kept.pop(0)

    def weight(self) -> int:
        return sum(OVERHEAD_BYTES + entry[2].size for entry in self.kept)

    def ask(self, key: bytes, request: bytes, now: float) -> int:
        if key in self.at_work:
            return rules.BUSY if self.at_work[key][0] == request else rules.REUSED
        self.trim(now)
        for known, theirs, _, _ in self.kept:
            if known == key:
                return rules.ANSWERED if theirs == request else rules.REUSED
        if len(self.at_work) >= self.entries:
            return rules.FULL
        self.at_work[key] = (request, [])
        return rules.OWNED


@settings(max_examples=300)
@given(entries=st.integers(1, 3), room=st.integers(0, 6), steps=STEPS)
def test_journal_equals_the_table(
    entries: int, room: int, steps: list[tuple[str, bytes, bytes, int, float]]
) -> None:
    """Every verdict, every answer, who waits, who takes over, and what is left of memory."""
    memory = COST + UNIT * room
    journal = Journal(JournalOptions(TTL_S, entries, memory))
    model = Model(entries, memory)
    now = 0.0
    for action, key, request, number, wait in steps:
        now += wait
        if action == "ask":
            verdict = journal.ask(key, request, now)
            assert verdict == model.ask(key, request, now)
            if verdict == rules.BUSY:
                caller = Caller()
                journal.wait(key, caller)
                model.at_work[key][1].append(caller)
            elif verdict == rules.ANSWERED:
                assert [journal.answer(key)] == [entry[2] for entry in model.kept if entry[0] == key]
        elif key in model.at_work:
            theirs, waiters = model.at_work[key]
            if action == "settle":
                del model.at_work[key]
                answer = KeptAnswer(0, (), b"x" * (UNIT * number), ())
                fits = OVERHEAD_BYTES + answer.size <= memory
                if fits:
                    model.kept.append((key, theirs, answer, now))
                    model.trim(now)
                assert journal.settle(key, answer, now) == fits
                assert [caller.heard for caller in waiters] == [answer] * len(waiters)
            elif action == "abandon":
                journal.abandon(key)
                if waiters:
                    assert [caller.owns for caller in waiters] == [True] + [False] * (len(waiters) - 1)
                    waiters.pop(0)
                else:
                    del model.at_work[key]
            elif waiters:
                gone = waiters.pop(number % len(waiters))
                journal.leave(key, gone)
                journal.leave(key, gone)
        assert journal.at_work() == len(model.at_work)
        assert journal.waiting() == sum(len(waiters) for _, waiters in model.at_work.values())
        assert (len(journal), journal.bytes) == (len(model.kept), model.weight())
