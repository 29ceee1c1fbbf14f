"""What the peers themselves cannot do, each with its reason: such a case is not run, or cannot count.

Everything else that fails without the proxy is a failure of the run, so that a gap cannot grow unseen.
"""

from __future__ import annotations

from dataclasses import dataclass

COMPRESSED_REQUESTS = ("client_compressed_unary", "client_compressed_streaming")
COMPRESSED_ANSWERS = ("server_compressed_unary", "server_compressed_streaming")

UNIMPLEMENTED = ("unimplemented_method", "unimplemented_service")
CROWDS = ("many_calls", "many_timeouts", "more_than_max_streams", "concurrent_large_unary")
TIMEOUTS = ("many_timeouts", "timeout_on_sleeping_server")
HUFFMAN = "h2 takes seconds for the Huffman coding of 63 KB; part of the full run"
NO_CONTENT_TYPE = "the client refuses the UNIMPLEMENTED of grpclib's server, which has no content-type"
OVERCOUNTS = (
    "a C-core server refuses streams while it still counts ended ones, and the client does not repeat them"
)
LATE_WRITE = "grpcio with asyncio says INTERNAL when a write comes behind the deadline"
FLURRY = "a grpclib server now and then answers UNKNOWN while it is told of many cancelled calls"
LEAVES = "a grpc-js server now and then ends its connection with GOAWAY when many calls are cancelled"
CANCELS = "a grpc-go server says CANCEL at the deadline, a moment before the client's own timer"


@dataclass(frozen=True)
class Gap:
    """Cases that a client, a server, or the two together do not have; "*" stands for any peer."""

    client: str
    server: str
    cases: tuple[str, ...]
    reason: str
    unsteady: bool = False
    """It fails now and then only, so it is run; where it fails it does not count, and the table says so."""
    mended: bool = False
    """The proxy makes good for it: through the proxy it must not fail."""
    slow: bool = False
    """It works but takes the peer seconds: left to the full run."""

    def covers(self, client: str, server: str, case: str) -> bool:
        """Tell whether a case of a pair falls into it."""
        return self.client in ("*", client) and self.server in ("*", server) and case in self.cases


GAPS = (
    Gap("grpclib", "*", COMPRESSED_REQUESTS + COMPRESSED_ANSWERS, "grpclib has no message compression"),
    Gap("*", "grpclib", COMPRESSED_REQUESTS + COMPRESSED_ANSWERS, "grpclib has no message compression"),
    Gap("*", "grpc-js", COMPRESSED_ANSWERS, "a grpc-js server does not compress"),
    Gap("grpclib", "grpclib", UNIMPLEMENTED, NO_CONTENT_TYPE),
    Gap("grpc-go", "grpclib", UNIMPLEMENTED, NO_CONTENT_TYPE),
    Gap("grpclib", "*", ("metadata_of_63_kb",), HUFFMAN, slow=True),
    Gap("*", "grpclib", ("metadata_of_63_kb",), HUFFMAN, slow=True),
    Gap("*", "grpcio", CROWDS, OVERCOUNTS, unsteady=True),
    Gap("*", "grpcio-aio", CROWDS, OVERCOUNTS, unsteady=True),
    Gap("*", "grpc-go", TIMEOUTS, CANCELS, unsteady=True, mended=True),
    Gap("grpcio-aio", "*", ("timeout_on_sleeping_server",), LATE_WRITE, unsteady=True),
    Gap("*", "grpclib", ("many_timeouts",), FLURRY, unsteady=True),
    Gap("*", "grpc-js", ("many_timeouts",), LEAVES, unsteady=True),
)


def gap(client: str, server: str, case: str, *, full: bool) -> Gap | None:
    """Return why a case of a pair does not count, or may not; None when it does."""
    found = (each for each in GAPS if each.covers(client, server, case))
    return next((each for each in found if not (full and each.slow)), None)
