"""What is known of each call of a run from outside, and the verdict on it once it has ended."""

from __future__ import annotations

from collections.abc import Mapping

from seawall_policy import status
from seawall_policy.hedge import ENFORCE, HedgeOptions
from seawall_policy.model import Snapshot
from seawall_proxy.call.call import Call
from seawall_proxy.testing.peers import Client, ClientCall, Server, ServerCall

STATIC = b"static answer"
EMPTY = b"\0\0\0\0\0"
OTHER_METHOD = b"/s.A/Other"


class Book:
    """What is known of one call from outside."""

    def __init__(self, call: ClientCall, path: str, body: bytes, client: Client) -> None:
        self.call: ClientCall = call
        self.path: str = path
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


def judge(book: Book, snapshots: Mapping[int, Snapshot], everyone: Mapping[bytes, Request]) -> None:
    """Judge one call that has ended; `everyone` has the requests of all calls by name."""
    call = book.call
    if not book.lost:
        assert call.ends == 1, f"{call.name} ended {call.ends} times"
    _judge_requests(book, snapshots)
    _judge_response(book, everyone)


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
    route = snapshot.routes[0 if book.path.startswith("/s.A/") else 1]
    policy = route.policy
    other = [
        request for request in requests if request.server.address == "dr" or request.seen.path == OTHER_METHOD
    ]
    primary = [request for request in requests if request not in other]
    steps = sum(1 for step in policy.fallback if step.cluster or step.method)
    hedge = policy.hedge
    most = max(policy.retry.max_attempts, 1 if hedge is None or not _sends(hedge) else hedge.max_attempts)
    refused = sum(1 for request in primary if request.refused)
    assert len(primary) <= most + max(1, refused), f"{book.call.name}: {len(primary)} attempts"
    assert len(other) <= steps
    info = snapshot.methods.get(book.path.encode())
    declared = route.idempotent or (info is not None and info.idempotent)
    idempotent = declared
    keys = policy.idempotency
    if keys is not None and keys.server_honours and requests[0].seen.field(keys.key) is not None:
        idempotent = True
    processed = [request for request in requests if not request.refused]
    if policy.retry.only_idempotent and not declared:
        # A key is known to the route's own servers, and to no others.
        elsewhere = [request for request in processed if request in other]
        assert not elsewhere or len(processed) == 1, f"{book.call.name} was processed elsewhere, too"
    hedged = hedge is not None and _sends(hedge) and (not hedge.only_idempotent or idempotent)
    if policy.retry.only_idempotent and not idempotent and not hedged:
        # Neither a retry nor a fallback may repeat what a server may have carried out.
        names = [request.seen.name for request in processed]
        assert len(processed) <= 1, f"{book.call.name} was processed by {names}"
    if policy.retry.max_attempts == 1 and not hedged:
        assert sum(request in primary for request in processed) <= 1


def _sends(hedge: HedgeOptions) -> bool:
    return hedge.mode == ENFORCE


def _judge_response(book: Book, everyone: Mapping[bytes, Request]) -> None:
    call = book.call
    data = bytes(call.data)
    origin = _origin(call)
    if call.trailers is None:
        # Cancelled or lost: what has come is a part of one answer.
        assert any(r.data.startswith(data) for r in everyone.values()) or STATIC.startswith(data)
        return
    code = call.status
    assert code is not None
    if origin is None:
        assert call.field(b"seawall-outcome") is not None, f"{call.name}: a status from nowhere"
        if call.field(b"seawall-degraded") is not None:
            good = [r for r in everyone.values() if r.data == data]
            assert good, f"{call.name}: an answer that nobody gave"
            assert code == 0
        elif code == 0:
            assert data in (STATIC, EMPTY, b"")
        else:
            assert code in status.LOCAL_ALLOWED or code in (2, 3, 7, 8, 12, 13, 16)
            assert any(r.data.startswith(data) for r in book.requests) or data == b""
        return
    answered = everyone[origin]
    assert code == answered.code
    replayed = call.field(b"seawall-replayed") is not None
    assert replayed or answered in book.requests, f"{call.name}: another call's answer"
    if replayed and answered not in book.requests:
        assert bytes(answered.seen.data) == book.body, f"{call.name}: the answer to another request"
    if call.trailers_only:
        assert data == b""
    else:
        assert data == answered.data, f"{call.name}: the answer is not that of {origin!r}"
        assert call.headers is not None
        assert (b"x-from", origin) in call.headers
    if code == 0:
        assert not book.cancelled


def _origin(call: ClientCall) -> bytes | None:
    return call.field(b"x-from")
