"""What stands at the door of a plaintext listener and does not speak HTTP/2 with prior knowledge.

HTTP/1.x gets a readable `426 Upgrade Required` (RFC 9110 section 15.5.22) and is closed: there is no upgrade,
whatever it asks for, so nothing can be smuggled behind one. A TLS handshake gets nothing, since no octet of
ours would mean anything to it. Both have a reason of their own for the counters. Anything else is answered as
RFC 9113 section 3.4 says, with GOAWAY.
"""

from __future__ import annotations

from typing import Final

from seawall_proxy.http2.errors import HTTP_1_1_REQUIRED, PROTOCOL_ERROR, ConnectionFault

HTTP_1_REASON: Final = "HTTP/1.x where HTTP/2 with prior knowledge is spoken"
TLS_REASON: Final = "TLS where plaintext HTTP/2 is spoken"
OTHER_REASON: Final = "connection does not begin with the HTTP/2 preface"

MAX_REQUEST_LINE_BYTES: Final = 2048
"""A longer first line is not waited for."""

_TLS_HANDSHAKE: Final = 0x16
_METHOD_OCTETS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-"
_TEXT: Final = (
    b"This port speaks gRPC, that is HTTP/2 with prior knowledge; HTTP/1.x is not served and not upgraded.\n"
    b"Use a gRPC client, or try: curl --http2-prior-knowledge\n"
)
HTTP_1_ANSWER: Final = (
    b"HTTP/1.1 426 Upgrade Required\r\n"
    b"upgrade: HTTP/2.0\r\n"
    b"connection: upgrade, close\r\n"
    b"content-type: text/plain\r\n"
    b"content-length: " + str(len(_TEXT)).encode() + b"\r\n\r\n" + _TEXT
)


class NotHttp2(ConnectionFault):
    """The peer speaks something else; `answer` is all that is sent to it, b"" for nothing."""

    def __init__(self, code: int, reason: str, answer: bytes) -> None:
        super().__init__(code, reason)
        self.answer = answer


def wrong_opening(first: bytes) -> ConnectionFault | None:
    """Tell what the first octets of a peer are that are not the HTTP/2 preface; None while it may yet become
    a request line of HTTP/1.x.
    """
    if first[0] == _TLS_HANDSHAKE:
        return NotHttp2(PROTOCOL_ERROR, TLS_REASON, b"")
    end = first.find(b"\n", 0, MAX_REQUEST_LINE_BYTES)
    if first[0] in _METHOD_OCTETS:
        if end < 0 and len(first) < MAX_REQUEST_LINE_BYTES:
            return None
        if end >= 0 and b" HTTP/1." in first[:end].upper():
            return NotHttp2(HTTP_1_1_REQUIRED, HTTP_1_REASON, HTTP_1_ANSWER)
    return ConnectionFault(PROTOCOL_ERROR, OTHER_REASON)
