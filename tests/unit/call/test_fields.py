"""What single fields may look like, and what is read from them."""

from __future__ import annotations

from base64 import b64encode

import pytest

from seawall_policy import status
from seawall_policy.retry import NO_PUSHBACK, PUSHBACK_STOP
from seawall_proxy.call.metadata import is_base64, is_encoding_list
from seawall_proxy.call.request import (
    BAD_FIELD,
    BAD_PATH,
    NOT_GRPC,
    NOT_POST,
    VALID,
    RequestHead,
    is_method_path,
)
from seawall_proxy.call.response import NO_STATUS, final_status, find, pushback, response_head, status_message
from seawall_proxy.http2.headers import Field, HeaderBlock
from seawall_proxy.testing.playbook import request_fields


@pytest.mark.parametrize("size", range(12))
def test_base64_of_every_length(size: int) -> None:
    """Padded and unpadded forms of any length are valid, also as parts of a list (P7)."""
    padded = b64encode(bytes(range(250, 250 - size, -1)))
    assert is_base64(padded)
    assert is_base64(padded.rstrip(b"="))
    assert is_base64(padded + b"," + padded.rstrip(b"="))
    assert is_base64(padded + b", " + padded)


@pytest.mark.parametrize(
    "value",
    [
        b"A",
        b"AAAAA",
        b"=",
        b"A===",
        b"AA=",
        b"AAA==",
        b"AAAA=",
        b"A-A_",
        b"AA A",
        b"AA,A",
        b"A=A=",
        b"\xff\xff",
        b"AA\n=",
    ],
)
def test_not_base64(value: bytes) -> None:
    """Lengths, alphabets and padding that no encoder makes are malformed."""
    assert not is_base64(value)


@pytest.mark.parametrize("value", [b"gzip", b"identity,deflate, gzip", b"x-custom_1.0+z"])
def test_encoding_lists(value: bytes) -> None:
    """Names separated by commas, spaces allowed."""
    assert is_encoding_list(value)


@pytest.mark.parametrize("value", [b"", b",", b"gzip,", b"GZIP", b"g zip", b"gzip;q=1", b"a" * 257])
def test_not_encoding_lists(value: bytes) -> None:
    """Empty names, other characters and very long lists are malformed."""
    assert not is_encoding_list(value)


@pytest.mark.parametrize(
    ("path", "valid"),
    [
        (b"/a.B/C", True),
        (b"/a/b-c_d", True),
        (b"", False),
        (b"/", False),
        (b"//", False),
        (b"/a", False),
        (b"/a/", False),
        (b"//b", False),
        (b"a/b", False),
        (b"/a/b/", False),
        (b"/a/b/c", False),
        (b"/a/b?", False),
        (b"/a/b#", False),
        (b"/a/%62", False),
    ],
)
def test_method_paths(path: bytes, valid: bool) -> None:
    """A path is /Service/Method, and nothing that another parser may read otherwise (P1)."""
    assert is_method_path(path) is valid


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ((b"x-a", b"1"), VALID),
        ((b"content-type", b"text/plain"), NOT_GRPC),
        ((b":method", b"GET"), NOT_POST),
        ((b":path", b"/a"), BAD_PATH),
        ((b"x-bin", b"!"), BAD_FIELD),
    ],
)
def test_the_verdict_on_a_block(change: Field, error: int) -> None:
    """Each block is judged once, by the first rule that it breaks."""
    fields = [field for field in request_fields("/a/b") if field[0] != change[0]]
    head = RequestHead(HeaderBlock((*fields, change)))
    assert head.error == error
    assert (head.error_detail != "") == (error == BAD_FIELD)


def test_the_block_for_an_upstream_is_made_once() -> None:
    """The same object each time for one authority; another authority has its own."""
    head = RequestHead(HeaderBlock(tuple(request_fields("/a/b", [(b"x-a", b"1"), (b"x-a", b"2")]))))
    one = head.upstream_block(b"")
    assert head.upstream_block(b"") is one
    other = head.upstream_block(b"other")
    assert dict(other.fields)[b":authority"] == b"other"
    assert [field for field in one.fields if field[0] == b"x-a"] == [(b"x-a", b"1"), (b"x-a", b"2")]
    for number in range(200):
        head.upstream_block(b"%d" % number)
    assert head.upstream_block(b"").fields == one.fields


@pytest.mark.parametrize("name", [b"job", b"other"])
def test_job_fields(name: bytes) -> None:
    """The job that a call belongs to is read from its metadata."""
    head = RequestHead(HeaderBlock((*request_fields("/a/b"), (b"x-job-id", name), (b"x-job-name", b"n"))))
    assert (head.job_id, head.job_name) == (name, b"n")


def trailers(*fields: Field) -> HeaderBlock:
    """Return a block of trailers."""
    return HeaderBlock(fields)


def test_the_status_may_stand_in_either_part() -> None:
    """The status is found among stable fields and among per-call fields."""
    assert final_status(response_head(trailers((b"grpc-status", b"5"))), ()) == 5
    assert final_status(response_head(trailers()), ((b"grpc-status", b"5"),)) == 5
    assert final_status(response_head(trailers()), ()) == NO_STATUS
    assert final_status(response_head(trailers((b"grpc-status", b"x"))), ()) == status.UNKNOWN


@pytest.mark.parametrize(
    ("value", "told"),
    [(b"5", 5), (b"0", 0), (b"-1", PUSHBACK_STOP), (b"", PUSHBACK_STOP), (b"soon", PUSHBACK_STOP)],
)
def test_pushback_in_either_part(value: bytes, told: int) -> None:
    """Pushback is read from both parts; unreadable means stop, absent means nothing (P20)."""
    field = (b"grpc-retry-pushback-ms", value)
    assert pushback(response_head(trailers(field)), ()) == told
    assert pushback(response_head(trailers()), (field,)) == told
    assert pushback(response_head(trailers()), ((b"x", b"1"),)) == NO_PUSHBACK


def test_message_and_find() -> None:
    """The message is passed on as on the wire; fields that are not there are empty."""
    assert status_message(response_head(trailers((b"grpc-message", b"a%20b"))), ()) == b"a%20b"
    assert status_message(response_head(trailers()), ((b"grpc-message", b"long"),)) == b"long"
    assert find(((b"a", b"1"), (b"a", b"2")), b"a") == b"1"
    assert find((), b"a") == b""


def test_a_response_block_is_read_once() -> None:
    """What was derived stays with the block."""
    block = trailers((b"grpc-status", b"5"))
    assert response_head(block) is response_head(block)
