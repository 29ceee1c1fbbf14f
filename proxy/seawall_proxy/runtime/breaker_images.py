"""Breakers as they are written down: one flat JSON object each, an *image*.

An image says what was left of a time when it was made, and by the wall clock when that was, so it stays true
however long nobody writes it again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from math import inf
from time import time
from typing import TYPE_CHECKING, Final

from seawall_policy.breaker import STATE_NAMES, Breaker, SavedBreaker
from seawall_proxy.runtime.frames import Json

if TYPE_CHECKING:
    from seawall_proxy.runtime.worker import Worker

log = logging.getLogger("seawall.breakers")

Image = dict[str, Json]

SIBLING: Final = "sibling"
"""What the trigger of a change begins with that was made because another worker had made it."""


def image_of(breaker: Breaker, now: float) -> Image | None:
    """Return a breaker's image; None for one that is as its policy starts it."""
    saved = breaker.save(now)
    if saved is None:
        return None
    return {
        "key": breaker.key,
        "state": STATE_NAMES[saved.state],
        "trigger": saved.trigger,
        "at": time(),
        "since_age": saved.since_age_s,
        "left": None if saved.left_s == inf else saved.left_s,
        "reopened": saved.reopened,
        "share": saved.share,
        "held": saved.held,
        "by": saved.by,
        "why": saved.why,
    }


def saved_of(image: Image) -> SavedBreaker:
    """Return what an image says; raise KeyError, TypeError or ValueError when it cannot be understood."""
    left = image["left"]
    return SavedBreaker(
        STATE_NAMES.index(str(image["state"])),
        str(image["trigger"]),
        number_of(image["since_age"]),
        inf if left is None else number_of(left),
        int(number_of(image["reopened"])),
        number_of(image["share"]),
        bool(image["held"]),
        str(image["by"]),
        str(image["why"]),
    )


def number_of(value: Json) -> float:
    """Return a number that is finite and not negative; raise TypeError or ValueError for another value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    if not 0.0 <= value < inf:
        raise ValueError(f"{value!r} is out of range")
    return float(value)


def restore_images(worker: Worker, images: Iterable[Image]) -> int:
    """Let the breakers of the policy in force go on from their images; return how many did."""
    table = worker.context.table
    if table is None:
        return 0
    now = worker.tell_time()
    wall_s = time()
    restored = 0
    for image in images:
        key = str(image.get("key"))
        found = table.find_breaker(key, make=True)
        if found is None:
            continue
        try:
            done = found[1].restore(saved_of(image), wall_s - number_of(image["at"]), now)
        except (KeyError, TypeError, ValueError) as error:
            log.warning("what was kept of breaker %s is damaged and is ignored: %s", key, error)
            continue
        if done:
            restored += 1
            worker.keep_breaker(found[1])
    worker.breaker_clock.rearm()
    worker.after_batch()
    return restored
