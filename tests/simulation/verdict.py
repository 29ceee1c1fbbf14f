"""What is known of each call of a run from outside, and the verdict on it once it has ended."""

from __future__ import annotations

from collections.abc import Mapping

from seawall_policy import status
from seawall_policy.hedge import ENFORCE, HedgeOptions
from seawall_policy.model import Snapshot
from seawall_proxy.call.call import Call
from seawall_proxy.testing.peers import Client, ClientCall, Server, ServerCall

STATIC = b"static answer"


class Book:
    """What is known of one call from outside."""

    def __init__(self, call: ClientCall, body: bytes, client: Client) -> None:
        self.call: ClientCall = call
        self.body: bytes = body
        self.client: Client = client
        self.offset: int = 0
        self.closed: bool = False
        self.cancelled: bool = False
        self.lost: bool = False
        self.requests: list[Request] = []
        self.call_object: Call | None = None


class Request:
    """One request that a server has seen, and what it answered."""

    def __init__(self, seen: ServerCall, server: Server, connection_id: int) -> None:
        self.seen: ServerCall = seen
        self.server: Server = server
        self.connection_id: int = connection_id
        self.refused: bool = False
        self.headers_sent: bool = False
        self.data: bytes = b""
        self.code: int = -1


def judge(book: Book, snapshots: Mapping[int, Snapshot]) -> None:
    """Judge one call that has ended."""
    call = book.call
    if not book.lost:
        assert call.ends == 1, f"{call.name} ended {call.ends} times"
    _judge_requests(book, snapshots)
    _judge_response(book)


def _judge_requests(book: Book, snapshots: Mapping[int, Snapshot]) -> None:
    requests = book.requests
    authorities = {request.seen.field(b":authority") for request in requests}
    assert len(authorities) <= 1, f"{book.call.name} was served under {authorities}"
    for request in requests:
        data = bytes(request.seen.data)
        assert book.body.startswith(data), f"{request.seen.name} got another body"
        if request.seen.done:
            assert data == book.body[: len(data)]
            assert len(data) == len(book.body), (
                f"{request.seen.name} got {len(data)} of {len(book.body)} bytes"
            )
    if not requests:
        return
    authority = requests[0].seen.field(b":authority")
    assert authority is not None
    snapshot = snapshots[int(authority[4:])]
    route = snapshot.routes[0 if requests[0].seen.path.startswith(b"/s.A/") else 1]
    policy = route.policy
    primary = [request for request in requests if request.server.address != "dr"]
    steps = sum(1 for step in policy.fallback if step.cluster)
    hedge = policy.hedge
    most = max(policy.retry.max_attempts, 1 if hedge is None or not _sends(hedge) else hedge.max_attempts)
    refused = sum(1 for request in primary if request.refused)
    assert len(primary) <= most + max(1, refused), f"{book.call.name}: {len(primary)} attempts"
    assert len(requests) - len(primary) <= steps
    info = snapshot.methods.get(requests[0].seen.path)
    idempotent = route.idempotent or (info is not None and info.idempotent)
    processed = [request for request in requests if not request.refused]
    hedged = hedge is not None and _sends(hedge) and (not hedge.only_idempotent or idempotent)
    if policy.retry.only_idempotent and not idempotent and not hedged:
        # Neither a retry nor a fallback may repeat what a server may have carried out.
        names = [request.seen.name for request in processed]
        assert len(processed) <= 1, f"{book.call.name} was processed by {names}"
    if policy.retry.max_attempts == 1 and not hedged:
        assert sum(request.server.address != "dr" for request in processed) <= 1


def _sends(hedge: HedgeOptions) -> bool:
    return hedge.mode == ENFORCE


def _judge_response(book: Book) -> None:
    call = book.call
    data = bytes(call.data)
    origin = _origin(call)
    if call.trailers is None:
        # Cancelled or lost: what has come is a part of one answer.
        assert any(r.data.startswith(data) for r in book.requests) or STATIC.startswith(data)
        return
    code = call.status
    assert code is not None
    answered = [request for request in book.requests if request.seen.name.encode() == origin]
    if origin is None:
        assert call.field(b"seawall-outcome") is not None, f"{call.name}: a status from nowhere"
        if code == 0:
            assert data == STATIC
        else:
            assert code in status.LOCAL_ALLOWED or code in (2, 7, 8, 12, 13, 16)
            assert any(r.data.startswith(data) for r in book.requests) or data == b""
        return
    assert len(answered) == 1
    assert code == answered[0].code
    if call.trailers_only:
        assert data == b""
    else:
        assert data == answered[0].data, f"{call.name}: the answer is not that of {origin!r}"
        assert call.headers is not None
        assert (b"x-from", origin) in call.headers
    if code == 0:
        assert not book.cancelled


def _origin(call: ClientCall) -> bytes | None:
    return call.field(b"x-from")
