"""A test client on one of Python's libraries: runs the cases against each address, prints a line of JSON for
each.

`python -m tests.interop.python.client LIBRARY --at direct=HOST:PORT --at proxy=HOST:PORT`
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.interop.python import cases
from tests.interop.python.caller import Caller
from tests.interop.python.client_aio import AioCaller
from tests.interop.python.client_grpcio import SyncCaller
from tests.interop.python.client_grpclib import LibCaller
from tests.interop.python.transport import Transport, arguments

LIBRARIES: dict[str, Callable[[str, Transport], Caller]] = {
    "grpcio": SyncCaller,
    "grpcio-aio": AioCaller,
    "grpclib": LibCaller,
}
CASE_LIMIT_S = 60.0
THREADS = 1024


async def run_case(name: str, run: cases.Run) -> tuple[str, str]:
    """Return the result of a case and why."""
    reason = run.caller.missing.get(name)
    if reason is not None:
        return "skipped", reason
    try:
        async with asyncio.timeout(CASE_LIMIT_S):
            await cases.CASES[name](run)
    except Exception as error:  # noqa: BLE001 - whatever a library raises fails the case and no other one
        return "failed", f"{type(error).__name__}: {error}"
    return "passed", ""


async def run_all(
    library: str, places: list[str], transport: Transport, scale: cases.Scale, names: list[str]
) -> None:
    """Run the cases against each place."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    for place in places:
        path, _, address = place.partition("=")

        def connect(address: str = address) -> Caller:
            return LIBRARIES[library](address, transport)

        for name in names:
            began = time.monotonic()
            caller = connect()
            try:
                result, why = await run_case(name, cases.Run(caller, connect, scale))
            finally:
                await caller.close()
            took_s = round(time.monotonic() - began, 3)
            print(
                json.dumps({"path": path, "case": name, "result": result, "why": why, "took_s": took_s}),
                flush=True,
            )


def main() -> None:
    """Read the arguments and run."""
    parser = arguments("test client on a Python library")
    parser.add_argument("library", choices=sorted(LIBRARIES))
    parser.add_argument("--at", action="append", default=[])
    parser.add_argument("--scale", choices=("short", "full"), default="short")
    parser.add_argument("--cases", default=",".join(cases.CASES))
    given = parser.parse_args()
    scale = cases.FULL if given.scale == "full" else cases.SHORT
    transport = Transport(given.transport, given.certs)
    asyncio.run(run_all(given.library, given.at, transport, scale, given.cases.split(",")))


if __name__ == "__main__":
    main()
