"""A proxy that refuses everything for ever is sent each content at most once."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from seawall_control.domain.subscription import Answered, Published, Push, Subscription


@given(st.lists(st.sampled_from("abcd"), max_size=30), st.lists(st.integers(0, 3), max_size=30))
def test_each_content_is_sent_at_most_once(contents: list[str], delays: list[int]) -> None:
    """However publications and late refusals interleave, no content is pushed twice (no hot loop, xDS rule
    X5).
    """
    machine = Subscription()
    waiting: list[Push] = []
    sent: Counter[str] = Counter()
    for revision, content in enumerate(contents, start=1):
        outputs = list(machine.handle(Published(revision, content), now=0.0))
        delay = delays[revision - 1] if revision <= len(delays) else 0
        while True:
            pushes = [o for o in outputs if isinstance(o, Push)]
            sent.update(p.hash for p in pushes)
            waiting += pushes
            if not waiting or delay > 0:
                break
            outputs = list(machine.handle(Answered(waiting.pop(0).nonce, accepted=False), now=0.0))
    assert all(number == 1 for number in sent.values())
