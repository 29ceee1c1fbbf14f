"""The ways to find a limit, each by its formula, and what samples they get."""

from __future__ import annotations

from math import inf, log10, sqrt

import pytest

from seawall_policy.limit import options as limits
from seawall_policy.limit.aimd import Aimd
from seawall_policy.limit.algorithm import Algorithm, Fixed
from seawall_policy.limit.gate import ENTERED, Gate, make_algorithm
from seawall_policy.limit.gradient import PINNED, Gradient, Gradient2
from seawall_policy.limit.knee import FLOOR_S, LEAST, RESTING, TIMES, Knee
from seawall_policy.limit.options import LimitOptions
from seawall_policy.limit.place import IGNORED, LOST, SUCCESS, Chain, Place
from seawall_policy.limit.vegas import Vegas
from seawall_policy.limit.window import Window


def options(kind: int = limits.KNEE, **changes: object) -> LimitOptions:
    """Settings with wide bounds."""
    numbers: dict[str, object] = {"max_in_flight": 1000, "min_in_flight": 2, "initial": 100, **changes}
    return LimitOptions(kind=kind, **numbers)  # type: ignore[arg-type]


def window(
    rtt_s: float, *, count: int = 30, at_work: int = 100, limited: bool = True, drops: int = 0
) -> Window:
    """A window of equal samples."""
    made = Window(keeps_times=True)
    made.begin(0.0)
    for _ in range(count):
        made.add(rtt_s, at_work, limited)
    made.done = count
    made.peak = at_work
    for _ in range(drops):
        made.drop()
    return made


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("kind", 0), ("kind", 7), ("max_in_flight", 0), ("min_in_flight", 0), ("initial", 0), ("queue", -1),
        ("queue_timeout_s", 0.0), ("criticality", 4), ("mode", 0), ("shares", (0.5, 0.6, 0.0, 0.0)),
        ("shares", (1.0,)), ("shares", (-0.1, 0.0, 0.0, 0.0)),
    ],
)  # fmt: skip
def test_options_are_checked(setting: str, value: object) -> None:
    """What cannot be is refused with its name."""
    with pytest.raises(ValueError, match="limit: "):
        LimitOptions(**{setting: value})  # type: ignore[arg-type]


def test_bounds_are_kept_in_order() -> None:
    """The least limit is never above the largest, and it begins between them."""
    made = LimitOptions(max_in_flight=3, min_in_flight=10, initial=100)
    assert (made.min_in_flight, made.initial, made.max_in_flight) == (3, 3, 3)
    assert LimitOptions(shares=(0.1, 0.0, 0.0, 0.0)).sure_of(0, 11) == 2, "rounded up"


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        (limits.NONE, Fixed), (limits.GRADIENT, Gradient), (limits.VEGAS, Vegas),
        (limits.GRADIENT2, Gradient2), (limits.AIMD, Aimd), (limits.KNEE, Knee),
    ],
)  # fmt: skip
def test_each_kind_has_its_algorithm(kind: int, made: type[Algorithm]) -> None:
    """And it stays between the bounds, whatever it is told."""
    algorithm = make_algorithm(options(kind))
    assert type(algorithm) is made
    for number in range(1, 60):
        drops = 40 if number % 3 == 0 else 0
        algorithm.update(window(0.001 * number, at_work=number * 20, drops=drops), float(number))
        assert 2 <= algorithm.limit <= 1000


def test_fixed_is_max_in_flight() -> None:
    """Without `adaptive` the limit is what was set, and follows a new policy."""
    fixed = Fixed(options(limits.NONE, max_in_flight=7))
    fixed.update(window(9.0, drops=50), 1.0)
    assert fixed.limit == 7
    fixed.resize(options(limits.NONE, max_in_flight=9))
    assert fixed.limit == 9


def test_aimd() -> None:
    """X 0.9 on a loss or when it takes more than 5 s; + 1 when half of it was used."""
    limit = Aimd(options(limits.AIMD))
    limit.update(window(0.1, at_work=50), 1.0)
    assert limit.limit == 101
    limit.update(window(0.1, at_work=50), 2.0)
    assert limit.limit == 101
    limit.update(window(0.1, drops=1), 3.0)
    assert limit.limit == pytest.approx(90.9)
    limit.update(window(5.1), 4.0)
    assert limit.limit == pytest.approx(81.81)


def test_vegas() -> None:
    """Queue = ceil(L (1 - least / mean)); steps of log10 L."""
    limit = Vegas(options(limits.VEGAS))
    limit.update(window(0.1), 1.0)
    assert limit.noload_s == pytest.approx(0.1)
    limit.update(window(0.101), 2.0)
    assert limit.limit == pytest.approx(100 + 6 * log10(100)), "a queue of 1"
    at = limit.limit
    limit.update(window(0.104), 3.0)
    assert limit.limit == pytest.approx(at + log10(at)), "a queue of 5"
    at = limit.limit
    limit.update(window(0.11), 4.0)
    assert limit.limit == at, "a queue of 11"
    limit.update(window(0.2), 5.0)
    assert limit.limit == pytest.approx(at - log10(at))
    at = limit.limit
    limit.update(window(0.2, at_work=10), 6.0)
    assert limit.limit == at, "it was not used"
    limit.update(window(0.1, drops=1), 7.0)
    assert limit.limit == pytest.approx(at - log10(at))


def test_vegas_measures_the_least_time_anew() -> None:
    """After 30 samples for each place what was the least is forgotten."""
    limit = Vegas(options(limits.VEGAS, initial=2))
    limit.update(window(0.1), 1.0)
    limit.update(window(0.5, count=60), 2.0)
    assert limit.noload_s == pytest.approx(0.5)


def test_gradient() -> None:
    """L = clamp(1.25 x least / median, 0.5, 2) x L + sqrt(L), from a least time measured at a limit of 3."""
    limit = Gradient(options(limits.GRADIENT))
    assert limit.limit == PINNED
    limit.update(window(0.1, count=50), 1.0)
    assert limit.limit == 100
    limit.update(window(0.1), 1.1)
    assert limit.limit == pytest.approx(1.25 * 100 + sqrt(100))
    at = limit.limit
    limit.update(window(0.5), 1.2)
    assert limit.limit == pytest.approx(0.5 * at + sqrt(at))
    limit.update(window(0.1), 62.0)
    assert limit.limit == PINNED, "a minute later it measures again"


def test_gradient2() -> None:
    """L = 0.8 L + 0.2 (clamp(1.5 x long / short, 0.5, 1) x L + 4)."""
    limit = Gradient2(options(limits.GRADIENT2))
    limit.update(window(0.1), 1.0)
    assert limit.limit == pytest.approx(100.8)
    at = limit.limit
    limit.update(window(1.0), 2.0)
    assert limit.limit == pytest.approx(0.8 * at + 0.2 * (0.5 * at + 4.0))
    at = limit.limit
    limit.update(window(0.1, at_work=10), 3.0)
    assert limit.limit == at, "it was not used"


def test_gradient2_forgets_an_overload() -> None:
    """A long average that is more than twice the short one shrinks on its own."""
    limit = Gradient2(options(limits.GRADIENT2))
    limit.update(window(1.0), 1.0)
    before = limit.long_s
    limit.update(window(0.1), 2.0)
    assert limit.long_s == pytest.approx((before + (0.1 - before) * 2 / 601) * 0.95)


def knee(base_s: float = 0.01, **changes: int) -> Knee:
    """A knee that knows its base and has seen nothing else."""
    limit = Knee(options(limits.KNEE, **changes))
    limit.base_s = base_s
    return limit


def test_knee_is_rate_times_time() -> None:
    """A limit that is reached becomes the rate times T; here 300/s x 100 ms."""
    limit = knee(initial=60)
    limit.update(window(0.2, count=300, at_work=60), 1.0)
    assert limit.limit == pytest.approx(300 * TIMES * 0.01)
    limit.update(window(0.1, count=300, at_work=30), 1.0)
    assert limit.limit == pytest.approx(30)


def test_knee_goes_down_by_half_at_most() -> None:
    """One odd window does not take everything away."""
    limit = knee(initial=1000)
    limit.update(window(1.0, count=300, at_work=1000), 1.0)
    assert limit.limit == 500


def test_knee_makes_room_beside_calls_that_hang() -> None:
    """Little's law says 0.6 s, those that end say 50 ms: most do not wait, they hang."""
    limit = knee(initial=60)
    limit.update(window(0.05, count=100, at_work=60), 1.0)
    assert limit.limit == 120


def test_knee_doubles_while_there_is_no_queue() -> None:
    """When calls take the base, more of them cost nothing."""
    limit = knee(0.3, initial=32)
    for _ in range(1000):
        limit.arrived(1.0)
    limit.update(window(0.3, count=100, at_work=32), 1.0)
    assert limit.limit == 64


def test_knee_keeps_to_what_callers_give() -> None:
    """T is a third of the time of callers in a hurry, and never less than the service needs."""
    limit = knee(0.05)
    assert limit.target_s() == pytest.approx(0.5)
    for _ in range(1000):
        limit.arrived(0.3)
    assert limit.target_s() == pytest.approx(0.1)
    for _ in range(1000):
        limit.arrived(0.03)
    assert limit.target_s() == pytest.approx(LEAST * 0.05)
    calm = knee(0.001)
    calm.arrived(inf)
    assert calm.target_s() == FLOOR_S


def test_knee_that_is_not_reached_follows_from_afar() -> None:
    """Four times the most calls at work, never below what may come at once, and never up."""
    limit = knee()
    limit.update(window(0.01, at_work=20, limited=False), 1.0)
    assert limit.limit == 80
    limit.update(window(0.01, at_work=2, limited=False), 101.0)
    assert limit.limit == RESTING
    limit.update(window(0.01, at_work=200, limited=False), 102.0)
    assert limit.limit == RESTING


def test_knee_lets_no_more_in_when_calls_take_long() -> None:
    """An overload that begins and a service that has become slower look alike: neither gets more."""
    limit = knee(initial=1000)
    limit.update(window(0.2, at_work=40, limited=False), 1.0)
    assert limit.limit == 50


def test_knee_learns_that_the_service_is_slower_by_its_rate() -> None:
    """With all places taken and far less done than before, more are tried; when that helps, it goes on."""
    limit = knee(initial=100)
    limit.update(window(0.01, count=1000, at_work=10, limited=False), 1.0)
    limit.update(window(0.01, count=1000, at_work=10, limited=False), 1.0)
    limit.limit = 40.0
    limit.update(window(0.2, count=200, at_work=40), 1.0)
    assert limit.limit == 80
    limit.update(window(0.2, count=400, at_work=80), 1.0)
    assert limit.limit == 160


def test_knee_forgets_a_rate_that_more_calls_do_not_bring_back() -> None:
    """When the second look finds no more done, this is what the service can do."""
    limit = knee(initial=100)
    limit.update(window(0.01, count=1000, at_work=10, limited=False), 1.0)
    limit.update(window(0.01, count=1000, at_work=10, limited=False), 1.0)
    limit.limit = 40.0
    limit.update(window(0.4, count=100, at_work=40), 1.0)
    assert limit.limit == 80
    limit.update(window(0.8, count=100, at_work=80), 1.0)
    assert limit.limit == 40


def test_knee_learns_a_new_base_where_there_is_no_queue() -> None:
    """Half the calls at work and the same time: that is the service, not a queue."""
    limit = knee(initial=100)
    limit.update(window(1.0, count=100, at_work=100), 1.0)
    assert limit.base_s == pytest.approx(0.01)
    limit.update(window(1.0, count=50, at_work=50), 1.0)
    assert limit.base_s > 0.5


def test_knee_is_not_fooled_by_a_queue() -> None:
    """Half the calls at work and half the time: a queue, and the base stays."""
    limit = knee(initial=100)
    limit.update(window(1.0, count=100, at_work=100), 1.0)
    limit.update(window(0.5, count=100, at_work=50), 1.0)
    assert limit.base_s == pytest.approx(0.01)


def test_knee_halves_when_most_calls_are_lost() -> None:
    """More losses than successes: half of what was at work."""
    limit = knee(initial=1000)
    limit.update(window(0.1, count=10, drops=11, at_work=60), 1.0)
    assert limit.limit == 30
    limit = knee(initial=100)
    limit.update(window(0.01, count=10, drops=10, at_work=60, limited=False), 1.0)
    assert limit.limit == 100


def test_knee_windows() -> None:
    """30 samples and two round trips, or eight that are clear."""
    limit = knee()
    assert not limit.is_over(window(0.1, count=30), 0.19)
    assert limit.is_over(window(0.1, count=30), 0.21)
    assert not limit.is_over(window(0.1, count=29), 9.0)
    assert limit.is_over(window(0.31, count=8), 0.7), "three times T"
    assert limit.is_over(window(0.01, count=30), 0.011), "the base itself"
    assert limit.is_over(window(0.01, count=3, drops=5), 0.02), "most are lost"
    assert not limit.is_over(window(0.01, count=2, drops=5), 0.02)
    assert Knee(options()).is_over(window(0.1, count=8), 0.1), "anything is better than nothing"


def test_calls_of_an_older_limit_teach_nothing() -> None:
    """Only calls that began after the limit was changed are samples of the new one."""
    gate = Gate(options(limits.AIMD))
    places = [Place(1, inf) for _ in range(25)]
    for place in places:
        assert gate.enter(place, 0.0) == ENTERED
    for place in places[:10]:
        gate.leave(place, 1.0, SUCCESS)
    assert gate.samples == 0, "ten make a window"
    for place in places[10:20]:
        gate.leave(place, 1.0, SUCCESS)
    assert gate.samples == 0
    late = Place(1, inf)
    gate.enter(late, 1.0)
    gate.leave(late, 1.5, SUCCESS)
    assert gate.samples == 1
    for place in places[20:]:
        gate.leave(place, 2.0, LOST)
    assert gate.samples == 1


def test_what_is_ignored_teaches_nothing_and_frees_its_place() -> None:
    """A cancelled call is none that succeeded, and its place is free once."""
    gate = Gate(options(limits.AIMD))
    place = Place(1, inf)
    gate.enter(place, 0.0)
    gate.leave(place, 1.0, IGNORED)
    gate.leave(place, 1.0, SUCCESS)
    assert (gate.in_flight, gate.samples) == (0, 0)


def test_the_time_in_our_queue_is_not_the_service_s() -> None:
    """A call that waited for 0.4 s and worked for 0.1 s took 0.1 s."""
    gate = Gate(options(limits.AIMD, max_in_flight=1, min_in_flight=1, queue=5, queue_timeout_s=9.0))
    now = 0.0
    for _ in range(11):
        first, second = Place(1, inf), Place(1, inf)
        gate.enter(first, now)
        gate.enter(second, now)
        gate.leave(first, now + 0.1, SUCCESS)
        assert gate.next_started(now + 0.1) is second
        gate.leave(second, now + 0.2, SUCCESS)
        now += 0.2
    assert gate.usual_s == pytest.approx(0.1)


def test_when_to_come_back_is_when_the_queue_is_served() -> None:
    """So many wait, so long is a call at work, so many at once."""
    gate = Gate(options(limits.NONE, max_in_flight=2, queue=10))
    assert gate.retry_after() == 1.0
    gate.usual_s = 0.5
    for _ in range(5):
        gate.enter(Place(1, inf), 0.0)
    assert gate.retry_after() == pytest.approx((3 + 1) * 0.5 / 2)


def test_chain() -> None:
    """Whoever leaves, from wherever, leaves the others in their order."""
    chain = Chain()
    places = [Place(0, inf) for _ in range(4)]
    for place in places:
        chain.append(place)
    chain.remove(places[1])
    assert (chain.oldest(), chain.newest(), chain.length) == (places[0], places[3], 3)
    chain.remove(places[3])
    chain.remove(places[0])
    assert chain.oldest() is chain.newest() is places[2]
    chain.remove(places[2])
    assert chain.oldest() is None
    assert chain.newest() is None


def waiting_gate(**settings: tuple[float, ...]) -> tuple[Gate, Place]:
    """A gate with one place, which is taken."""
    gate = Gate(
        options(limits.NONE, max_in_flight=1, min_in_flight=1, queue=5, queue_timeout_s=9.0, **settings)
    )
    first = Place(1, inf)
    assert gate.enter(first, 0.0) == ENTERED
    return gate, first


def test_who_leaves_while_waiting_is_not_served() -> None:
    """The place goes to the next."""
    gate, first = waiting_gate()
    second, third = Place(1, inf), Place(1, inf)
    gate.enter(second, 0.0)
    gate.enter(third, 0.0)
    gate.leave(second, 0.0, IGNORED)
    assert gate.queue.length == 1
    gate.leave(first, 0.0, IGNORED)
    assert gate.next_started(0.0) is third


def test_order_turns_round_after_a_tenth_of_a_second() -> None:
    """First come, first served; then newest first, until nobody waits."""
    gate, first = waiting_gate()
    places = [Place(1, inf) for _ in range(4)]
    for place in places:
        gate.enter(place, 0.0)
    gate.leave(first, 0.09, IGNORED)
    assert gate.next_started(0.09) is places[0]
    gate.leave(places[0], 0.1, IGNORED)
    assert gate.next_started(0.1) is places[3]
    gate.leave(places[3], 0.2, IGNORED)
    assert gate.next_started(0.2) is places[2]
    gate.leave(places[2], 0.3, IGNORED)
    assert gate.next_started(0.3) is places[1]
    later = [Place(1, inf) for _ in range(2)]
    for place in later:
        gate.enter(place, 0.4)
    gate.leave(places[1], 0.4, IGNORED)
    assert gate.next_started(0.4) is later[0], "the queue was empty in between"


def test_a_share_is_a_guarantee() -> None:
    """A class below its share begins at the limit, and nobody else takes what it leaves free."""
    gate, first = waiting_gate(shares=(0.5, 0.0, 0.0, 0.0))
    plus = Place(0, inf)
    assert gate.enter(plus, 0.0) == ENTERED
    assert gate.in_flight == 2
    gate.leave(plus, 0.0, IGNORED)
    waits = Place(1, inf)
    gate.enter(waits, 0.0)
    gate.leave(first, 0.0, IGNORED)
    assert gate.next_started(0.0) is None


@pytest.mark.parametrize(("rate", "long_s"), [(100.0, 0.25), (20.0, 0.5), (4.0, 1.0), (0.5, 1.0)])
def test_waiting_for_a_turn_at_a_slow_service_is_no_long_call(rate: float, long_s: float) -> None:
    """With ten places and so many answers a second, the last of ten may take that long before its place is
    given to another; never more than a second.
    """
    gate = Gate(LimitOptions(max_in_flight=10, queue=10, queue_timeout_s=60.0))
    now = 0.0
    for _ in range(100):
        place = Place(1, inf)
        gate.enter(place, now)
        gate.leave(place, now + 0.01, SUCCESS)
        now += 1.0 / rate
    held = [Place(1, inf) for _ in range(10)]
    for place in held:
        gate.enter(place, now)
    gate.enter(Place(1, inf), now + long_s * 0.99)
    assert gate.long_calls == 0
    gate.enter(Place(1, inf), now + long_s * 1.02)
    assert gate.long_calls == 10
