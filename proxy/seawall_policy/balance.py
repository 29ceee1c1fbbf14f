"""Which of n endpoints takes the next attempt, as an index.

The endpoints themselves stay with their owner; here they are a list of flags (may it be picked?), a list of
attempts in flight, and a bit mask of indices that this call has already tried. -1 means that nothing is
left: the caller then decides whether to send a retry to an endpoint it has tried before.

Every picker takes a guess that is right while all endpoints are eligible, and only otherwise walks the
list, once or twice. The walk does not simply take the next one, because then the neighbour of an ejected
endpoint would carry two loads: it spreads what the missing ones leave over all that remain.

Source for two choices: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing".
"""

from __future__ import annotations


def pick_round_robin(counter: int, n: int, eligible: list[bool], excluded: int = 0) -> int:
    """Return the endpoint whose turn it is at `counter` (>= 0, one more each time), -1 when there is none.

    With some endpoints missing, their turns go to the others in rotation: k-th eligible one, k counting the
    rounds.
    """
    if n <= 0:
        return -1
    guess = counter % n
    if eligible[guess] and not (excluded >> guess) & 1:
        return guess
    count = count_eligible(n, eligible, excluded)
    if count == 0:
        return -1
    # The missing endpoint's own index is added so that two missing neighbours do not favour the same one in
    # a round.
    return _nth_eligible((counter // n + guess) % count, n, eligible, excluded)


def pick_random(n: int, eligible: list[bool], draw: float, excluded: int = 0) -> int:
    """Return an eligible endpoint with equal chances, -1 when there is none; `draw` is in [0, 1)."""
    count = count_eligible(n, eligible, excluded)
    if count == 0:
        return -1
    return _nth_eligible(int(draw * count), n, eligible, excluded)


def pick_p2c(active: list[int], eligible: list[bool], draw1: float, draw2: float, excluded: int = 0) -> int:
    """Return the less busy of two different endpoints drawn with equal chances, the first of them when they
    are equal.

    The only eligible one when there is one, -1 when there is none. Draws are in [0, 1) and independent.
    """
    n = len(active)
    if n == 0:
        return -1
    if n > 1:
        scaled1 = draw1 * n
        scaled2 = draw2 * (n - 1)
        first = int(scaled1)
        second = int(scaled2)
        if second >= first:
            second += 1
        if (
            eligible[first]
            and eligible[second]
            and not (excluded >> first) & 1
            and not (excluded >> second) & 1
        ):
            return second if active[second] < active[first] else first
        # What is left of a draw behind its integer part is a fresh draw, independent of the guess that
        # failed.
        draw1 = scaled1 - int(scaled1)
        draw2 = scaled2 - int(scaled2)
    count = count_eligible(n, eligible, excluded)
    if count == 0:
        return -1
    if count == 1:
        return _nth_eligible(0, n, eligible, excluded)
    rank1 = int(draw1 * count)
    rank2 = int(draw2 * (count - 1))
    if rank2 >= rank1:
        rank2 += 1
    first = _nth_eligible(rank1, n, eligible, excluded)
    second = _nth_eligible(rank2, n, eligible, excluded)
    return second if active[second] < active[first] else first


def count_eligible(n: int, eligible: list[bool], excluded: int = 0) -> int:
    """Return how many endpoints may be picked."""
    count = 0
    for i in range(n):
        if eligible[i] and not (excluded >> i) & 1:
            count += 1
    return count


def _nth_eligible(rank: int, n: int, eligible: list[bool], excluded: int) -> int:
    """Return the index of the eligible endpoint with this rank, counted from 0; -1 when there are not so
    many.
    """
    for i in range(n):
        if eligible[i] and not (excluded >> i) & 1:
            if rank == 0:
                return i
            rank -= 1
    return -1
