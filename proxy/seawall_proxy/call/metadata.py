"""Validity of metadata values that gRPC gives a meaning (gRPC over HTTP/2 specification)."""

from __future__ import annotations

from typing import Final

_GRPC: Final = b"application/grpc"
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TOKEN: Final = b"abcdefghijklmnopqrstuvwxyz0123456789-_.+"


def is_grpc(content_type: bytes) -> bool:
    """Tell whether a content-type is gRPC's, with or without a codec or parameters; gRPC-Web's is not."""
    return content_type.startswith(_GRPC) and (
        len(content_type) == len(_GRPC) or content_type[len(_GRPC)] in b"+;"
    )


def is_base64(value: bytes) -> bool:
    """Tell whether a `-bin` value is comma-separated standard base64, each part with or without padding."""
    for part in value.split(b","):
        body = part.strip(b" ").rstrip(b"=")
        padding = len(part.strip(b" ")) - len(body)
        if padding > 2 or len(body) % 4 == 1 or (padding > 0 and (len(body) + padding) % 4 != 0):
            return False
        if body.translate(None, _BASE64) != b"":
            return False
    return True


def is_encoding_list(value: bytes) -> bool:
    """Tell whether a value is a comma-separated list of encoding names, such as `identity,deflate, gzip`."""
    if value == b"" or len(value) > 256:
        return False
    for part in value.split(b","):
        name = part.strip(b" ")
        if name == b"" or name.translate(None, _TOKEN) != b"":
            return False
    return True
