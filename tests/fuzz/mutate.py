"""Random mutations of seeds, for where atheris is not: no feedback from coverage, but the same targets and
seeds.

The generator is seeded, so a run can be repeated; what broke a rule is returned with the octets that did it.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from tests.fuzz.targets import LIMIT_S, MAX_BYTES, Target

_INTERESTING = (0, 1, 5, 9, 0x20, 0x3F, 0x40, 0x7F, 0x80, 0xBE, 0xFE, 0xFF)


@dataclass
class Finding:
    """An input that broke a rule."""

    data: bytes
    error: BaseException


@dataclass
class Run:
    """What a run did."""

    inputs: int
    findings: list[Finding]


def mutate(data: bytes, dice: random.Random, words: tuple[bytes, ...], others: list[bytes]) -> bytes:
    """Change, remove, repeat, insert or splice a few times."""
    out = bytearray(data)
    for _ in range(1 + int(dice.expovariate(0.5))):
        at = dice.randrange(len(out) + 1)
        size = min(1 + int(dice.expovariate(0.2)), 64)
        kind = dice.randrange(7)
        if kind == 0 and out:
            out[at % len(out)] = dice.randrange(256)
        elif kind == 1 and out:
            out[at % len(out)] = dice.choice(_INTERESTING)
        elif kind == 2:
            del out[at : at + size]
        elif kind == 3:
            out[at:at] = out[at : at + size] * dice.choice((1, 2, 20))
        elif kind == 4 and words:
            out[at:at] = dice.choice(words)
        elif kind == 5:
            other = dice.choice(others)
            cut = dice.randrange(len(other) + 1)
            out[at:] = other[cut:]
        else:
            out[at:at] = dice.randbytes(size)
    return bytes(out[:MAX_BYTES])


def fuzz(target: Target, seconds: float, seed: int) -> Run:
    """Run mutations for so many seconds; stop at the first finding."""
    dice = random.Random(seed)
    pool = target.seeds()
    run = Run(0, [])
    end = time.monotonic() + seconds
    for data in pool:
        _try(target, data, run)
    while time.monotonic() < end and not run.findings:
        data = mutate(dice.choice(pool), dice, target.words, pool)
        _try(target, data, run)
        if len(pool) < 500 and dice.random() < 0.05:
            # A mutant is the seed of others: without coverage, chance says which.
            pool.append(data)
    return run


def _try(target: Target, data: bytes, run: Run) -> None:
    began = time.process_time()
    try:
        target.run(data)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        run.findings.append(Finding(data, error))
    if time.process_time() - began > LIMIT_S:
        run.findings.append(Finding(data, TimeoutError(f"took more than {LIMIT_S:g} s of CPU")))
    run.inputs += 1
