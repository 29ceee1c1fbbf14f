"""Attack for longer: `python -m tests.integration.hardening.flood --minutes 5`.

Round after round every flood of the suite runs from four connections at once, beside the good client; at the
end nothing may be left of it: memory, descriptors and calls are what they were after the first round.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.integration.hardening.ground import ROWS, Ground
from tests.integration.hardening.test_floods import FLOODS
from tests.integration.hardening.wire import Attacker
from tests.kit.processes import PATIENCE_S

CONNECTIONS = 4
MAX_LEFT_BYTES = 8 << 20
MAX_LEFT_DESCRIPTORS = 8


def one_round(ground: Ground, number: int) -> None:
    """Run every flood once, from several connections."""
    for name, _, flood in FLOODS:
        data = flood()
        with ground.attack(f"{number}: {name}") as tally:
            crowd = [tally.note(Attacker(ground.main)) for _ in range(CONNECTIONS)]
            threads = [threading.Thread(target=_send, args=(attacker, data)) for attacker in crowd]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(PATIENCE_S)
        ground.assert_calm()


def _send(attacker: Attacker, data: bytes) -> None:
    attacker.send(data)
    attacker.read(2.0)


def main() -> int:
    """Attack until the time is up; return 1 when something stays."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="seawall-flood-") as folder:
        ground = Ground(Path(folder))
        try:
            one_round(ground, 0)
            before = (ground.process.memory_info().rss, ground.process.num_fds())
            end = time.monotonic() + options.minutes * 60
            number = 0
            while time.monotonic() < end:
                number += 1
                one_round(ground, number)
                used = ground.process.memory_info().rss
                worst = max(row.p99_s for row in ROWS[-len(FLOODS) :]) * 1000
                print(
                    f"round {number}: {used / 2**20:.1f} MiB, {ground.process.num_fds()} descriptors, "
                    f"worst p99 of the good client {worst:.0f} ms",
                    flush=True,
                )
            left = (ground.process.memory_info().rss - before[0], ground.process.num_fds() - before[1])
        finally:
            ground.close()
    sent = sum(row.sent_bytes for row in ROWS)
    print(
        f"{len(ROWS)} attacks, {sent / 2**20:.0f} MiB, "
        f"{sum(row.cpu_s for row in ROWS):.1f} s of the proxy's CPU; "
        f"left: {left[0] / 2**20:.1f} MiB, {left[1]} descriptors"
    )
    return 0 if left[0] < MAX_LEFT_BYTES and left[1] < MAX_LEFT_DESCRIPTORS else 1


if __name__ == "__main__":
    sys.exit(main())
