"""Picking endpoints, for any eligibility and any draws."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seawall_policy.balance import count_eligible, pick_p2c, pick_random, pick_round_robin

DRAWS = st.floats(0.0, 1.0, exclude_max=True)


@given(data=st.data(), eligible=st.lists(st.booleans(), max_size=6), excluded=st.integers(0, 63))
def test_pick_is_eligible_and_untried_or_there_is_none(
    data: st.DataObject, eligible: list[bool], excluded: int
) -> None:
    """Every picker finds one exactly when there is one."""
    n = len(eligible)
    able = [i for i in range(n) if eligible[i] and not excluded & (1 << i)]
    active = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    picks = [
        pick_round_robin(data.draw(st.integers(0, 2**40)), n, eligible, excluded),
        pick_random(n, eligible, data.draw(DRAWS), excluded),
        pick_p2c(active, eligible, data.draw(DRAWS), data.draw(DRAWS), excluded),
    ]
    assert count_eligible(n, eligible, excluded) == len(able)
    for pick in picks:
        assert pick in able if able else pick == -1
    if len(able) > 1:
        busiest = max(able, key=lambda i: active[i])
        if all(active[i] < active[busiest] for i in able if i != busiest):
            assert picks[2] != busiest
