"""Failures in a row, ejections and returns beside a naive model that looks back through everything."""

from __future__ import annotations

from statistics import fmean, pstdev

from hypothesis import given, settings
from hypothesis import strategies as st

from seawall_policy.outlier.detector import OutlierDetector
from seawall_policy.outlier.options import OFF, LatencyOptions, OutlierOptions, RateOptions, ShareOptions
from seawall_policy.outlier.rates import below_the_mean
from seawall_policy.outlier.tally import OUT, STATUS

EJECTION_S = 4.0
CEILING_S = 9.0


class Naive:
    """Remembers every attempt and decides from the list."""

    def __init__(self, members: int, consecutive: int, max_ejected: float) -> None:
        self.members = members
        self.consecutive = consecutive
        self.most = min(max(1, int(max_ejected * members)), members - 1)
        self.log: list[tuple[float, int, bool]] = []
        """When, who, and whether it went well."""
        self.from_: list[int] = [0] * members
        """From which entry on an endpoint's attempts count."""
        self.spared: list[int] = [0] * members
        """From which entry on a run of failures is counted."""
        self.until: list[float] = [0.0] * members
        self.times: list[int] = [0] * members
        self.ejections: list[tuple[float, int, float]] = []

    def is_out(self, who: int) -> bool:
        return self.until[who] > 0.0

    def time(self, now: float) -> None:
        for who in range(self.members):
            if self.is_out(who) and now >= self.until[who]:
                self.until[who] = 0.0
                self.from_[who] = self.spared[who] = len(self.log)

    def attempt(self, now: float, who: int, well: bool) -> None:
        if self.is_out(who):
            return
        self.log.append((now, who, well))
        run = []
        for position in range(len(self.log) - 1, max(self.from_[who], self.spared[who]) - 1, -1):
            if self.log[position][1] == who:
                if self.log[position][2]:
                    break
                run.append(position)
        if not self.consecutive or len(run) < self.consecutive:
            return
        began = self.log[run[-1]][0]
        others = [
            entry
            for position, entry in enumerate(self.log)
            if entry[1] != who and not self.is_out(entry[1]) and position >= self.from_[entry[1]]
        ]
        if others:
            if not any(
                entry[2] and entry[0] > began and self._counts(entry) for entry in self.log if entry[1] != who
            ):
                return
            since = [entry for entry in self.log[run[-1] :] if entry[1] != who]
            if 2 * sum(1 for entry in since if not entry[2]) >= len(since):
                self.spared[who] = len(self.log)
                return
        if sum(1 for other in range(self.members) if self.is_out(other)) >= self.most:
            self.spared[who] = len(self.log)
            return
        self.times[who] += 1
        self.until[who] = now + min(EJECTION_S * self.times[who], CEILING_S)
        self.from_[who] = len(self.log)
        self.ejections.append((now, who, self.until[who]))

    def _counts(self, entry: tuple[float, int, bool]) -> bool:
        return self.log.index(entry) >= self.from_[entry[1]]


STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.booleans(), st.sampled_from([0.25, 0.25, 1.0, 5.0])), max_size=40
)


@settings(max_examples=120, deadline=None)
@given(STEPS, st.integers(2, 4), st.integers(0, 3), st.sampled_from([0.1, 0.5, 1.0]))
def test_ejections_are_those_of_the_whole_history(
    steps: list[tuple[int, bool, float]], members: int, consecutive: int, max_ejected: float
) -> None:
    """Counting as it goes comes to what looking back comes to."""
    options = OutlierOptions(
        interval_s=1e6,
        consecutive=consecutive,
        failure_share=ShareOptions(min_calls=100_000),
        latency=LatencyOptions(mode=OFF),
        ejection_s=EJECTION_S,
        max_ejection_s=CEILING_S,
        jitter=0.0,
        max_ejected=max_ejected,
    )
    made = OutlierDetector(options, lambda: 0.5, 0.0)
    tallies = [made.add(index, str(index), 0.0) for index in range(members)]
    naive = Naive(members, consecutive, max_ejected)
    ejections = []
    now = 1.0
    for who, well, wait in steps:
        who %= members
        now += wait
        made.wake(now)
        made.look(now)
        naive.time(now)
        tally = tallies[who]
        tally.began(now)
        tally.answered(now, now)
        if tally.ended(now, 0 if well else 14, STATUS, now):
            made.look_at(tally, now)
        naive.attempt(now, who, well)
        ejections += [(v.at, v.index, v.until) for v in made.verdicts if v.kind == 1]
        made.verdicts.clear()
        assert [t.state == OUT for t in tallies] == [naive.is_out(index) for index in range(members)]
        assert made.out() < members
    assert ejections == naive.ejections


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=6), st.sampled_from([0.5, 1.0, 1.9])
)
def test_success_rates_by_the_book(counts: list[tuple[int, int]], factor: float) -> None:
    """The formula of gRFC A50, written down once more."""
    found = below_the_mean([a for a, _ in counts], [b for _, b in counts], RateOptions(factor, 2, 2))
    rates = {index: a / (a + b) for index, (a, b) in enumerate(counts) if a + b >= 2}
    expected: set[int] = set()
    if len(rates) >= 2:
        bound = fmean(rates.values()) - factor * pstdev(rates.values())
        expected = {index for index, rate in rates.items() if rate < bound - 1e-12}
        found = [index for index in found if rates[index] < bound - 1e-12]
    assert set(found) == expected
