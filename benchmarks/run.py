"""`make bench`: what a call costs in Seawall and in its peers, in one run on one machine.

Prints the goals with a mark for each, then a table for each figure. `--only` takes figures by name, `--quick`
gives a rough answer in about three minutes. With `--write` the result also becomes docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from resource import RLIMIT_NOFILE, getrlimit, setrlimit

from benchmarks import page, tools
from benchmarks.bench import Bench
from benchmarks.figures import calls, clients, growth, latency, memory, sizes, tls
from benchmarks.peers import ALL, ENVOY, HAPROXY, INTERPRETED, SEAWALL
from benchmarks.processes import ROOT

FIGURES: dict[str, Callable[[Bench], None]] = {
    calls.NAME: calls.run,
    clients.NAME: clients.run,
    latency.NAME: latency.run,
    sizes.NAME: sizes.run,
    tls.NAME: tls.run,
    memory.NAME: memory.run,
    growth.NAME: growth.run,
}


def parse() -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=0, help="default 3, with --quick 1")
    parser.add_argument("--quick", action="store_true", help="a quarter of the calls, fewer peers, one round")
    parser.add_argument("--only", action="append", choices=sorted(FIGURES), help="a figure; may be repeated")
    parser.add_argument("--peers", help="proxies by name, separated by `;`; default all: " + "; ".join(ALL))
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    return parser.parse_args()


def main() -> int:
    """Run the benchmark."""
    given = parse()
    wanted = (SEAWALL, INTERPRETED, ENVOY, HAPROXY) if given.quick else ALL
    if given.peers:
        wanted = tuple(name.strip() for name in given.peers.split(";"))
        unknown = [name for name in wanted if name not in ALL]
        if unknown:
            print(f"no such proxy: {unknown[0]}; there are: {'; '.join(ALL)}", file=sys.stderr)
            return 2
    bench = Bench(rounds=given.rounds or (1 if given.quick else 3), quick=given.quick, peers=wanted)
    with suppress(ValueError, OSError):
        setrlimit(RLIMIT_NOFILE, (getrlimit(RLIMIT_NOFILE)[1],) * 2)
    try:
        tools.native("load")
        tools.native("backend")
    except tools.Missing as error:
        print(error, file=sys.stderr)
        return 2
    for name in given.only or FIGURES:
        bench.say(f"figure: {name}")
        FIGURES[name](bench)
    print(json.dumps(page.as_json(bench), indent=2) if given.output == "json" else page.text(bench))
    if given.write:
        path = ROOT / "docs" / "performance.md"
        path.write_text(page.page(bench))
        bench.say(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
