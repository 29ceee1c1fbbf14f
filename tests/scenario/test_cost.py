"""What a plain call costs, in function calls: interpreted, that is what its time goes by, and no machine's
noise is in it.
"""

from __future__ import annotations

import sys
from collections import Counter
from types import FrameType

import pytest

from seawall_policy._native import build_info
from seawall_policy.compile import compile_document
from seawall_proxy.config import load_text
from seawall_proxy.testing import Playbook
from tests.scenario.scenes import GET, begin

CALLS = 100
ROOMS = ("/seawall_policy/", "/seawall_proxy/call/", "/seawall_proxy/upstream/", "/seawall_proxy/telemetry/")
TEXT = """
version: v1
listeners: [{name: main, address: "127.0.0.1:8080"}]
clusters:
  - {name: main, endpoints: ["127.0.0.1:1", "127.0.0.1:2"]}
  - {name: bare, endpoints: ["127.0.0.1:1", "127.0.0.1:2"], outlier: {mode: off}}
policies: {nothing: {deadline: {hopeless: off}}}
routes: [{name: all, cluster: %s, idempotent: true, policy: %s}]
"""


def function_calls(cluster: str, policy: str) -> Counter[str]:
    """Return how often each function of the data path runs in a unary call, the HTTP/2 layer left aside."""
    snapshot = compile_document(load_text(TEXT % (cluster, policy)).document).snapshot
    assert snapshot is not None
    counts: Counter[str] = Counter()

    def count(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if event == "call" and any(room in code.co_filename for room in ROOMS):
            counts[code.co_qualname] += 1

    with Playbook(snapshot) as play:

        def one() -> None:
            begin(play, b"\x00\x00\x00\x00\x04ping", path=GET)
            for name in ("127.0.0.1:1", "127.0.0.1:2"):
                server = play.server(name)
                if server.count and not server.last.seen.answered:
                    server.last.reply(b"\x00\x00\x00\x00\x04pong")
            play.forget()

        for _ in range(CALLS):
            one()
        before = sys.getprofile()
        sys.setprofile(count)
        for _ in range(CALLS):
            one()
        sys.setprofile(before)
    # The test's own: it settles once for each step, and names statuses.
    del counts["Context.settle"], counts["name"]
    return counts


@pytest.mark.skipif(build_info().compiled, reason="compiled functions are not seen")
@pytest.mark.parametrize(
    ("cluster", "policy", "most"),
    [("bare", "nothing", 44), ("main", "nothing", 53), ("main", "builtin/standard", 82)],
)
def test_function_calls_of_a_plain_call(cluster: str, policy: str, most: int) -> None:
    """A mechanism that is off is not called at all, and one that is on a few times only. Who needs a further
    call for everybody raises the number here, and says what for.
    """
    counts = function_calls(cluster, policy)
    made = sum(counts.values()) / CALLS
    whole = ", ".join(f"{name} {number / CALLS:g}" for name, number in sorted(counts.items()))
    assert made <= most, f"{made:g} function calls instead of {most}: {whole}"
