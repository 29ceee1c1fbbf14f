"""Status codes: names, the two mappings from other signals, and the text of a status on the wire."""

from __future__ import annotations

import pytest

from seawall_policy import status


def test_names_and_codes_are_each_others_inverse() -> None:
    """Seventeen codes, numbered as gRPC numbers them."""
    assert len(status.NAMES) == 17
    assert [status.CODE_BY_NAME[name] for name in status.NAMES] == list(range(17))
    assert status.NAMES[status.UNAVAILABLE] == "UNAVAILABLE" and status.UNAVAILABLE == 14
    assert status.NAMES[status.UNAUTHENTICATED] == "UNAUTHENTICATED" and status.UNAUTHENTICATED == 16
    assert all(getattr(status, name) == code for code, name in enumerate(status.NAMES))


@pytest.mark.parametrize(
    ("code", "text"), [(0, "OK"), (16, "UNAUTHENTICATED"), (17, "UNKNOWN(17)"), (-1, "UNKNOWN(-1)")]
)
def test_a_number_without_a_name_is_shown_as_a_number(code: int, text: str) -> None:
    """Both ends of the range, and one beyond each."""
    assert status.name(code) == text


@pytest.mark.parametrize(
    ("http", "code"),
    [
        (400, status.INTERNAL),
        (401, status.UNAUTHENTICATED),
        (403, status.PERMISSION_DENIED),
        (404, status.UNIMPLEMENTED),
        (429, status.UNAVAILABLE),
        (431, status.INTERNAL),
        (502, status.UNAVAILABLE),
        (503, status.UNAVAILABLE),
        (504, status.UNAVAILABLE),
        (200, status.UNKNOWN),
        (204, status.UNKNOWN),
        (302, status.UNKNOWN),
        (409, status.UNKNOWN),
        (415, status.UNKNOWN),
        (500, status.UNKNOWN),
        (501, status.UNKNOWN),
        (0, status.UNKNOWN),
    ],
)
def test_http_status_without_grpc_status(http: int, code: int) -> None:
    """The table of http-grpc-status-mapping; no HTTP status is a success of a call."""
    assert status.from_http(http) == code


@pytest.mark.parametrize(
    ("h2", "code"),
    [
        (0x0, status.INTERNAL),
        (0x1, status.INTERNAL),
        (0x2, status.INTERNAL),
        (0x3, status.INTERNAL),
        (0x4, status.INTERNAL),
        (0x5, status.INTERNAL),
        (0x6, status.INTERNAL),
        (0x7, status.UNAVAILABLE),
        (0x8, status.CANCELLED),
        (0x9, status.INTERNAL),
        (0xA, status.INTERNAL),
        (0xB, status.RESOURCE_EXHAUSTED),
        (0xC, status.PERMISSION_DENIED),
        (0xD, status.INTERNAL),
        (0xFF, status.INTERNAL),
    ],
)
def test_reset_code_without_trailers(h2: int, code: int) -> None:
    """Every error code of RFC 9113 and one that does not exist."""
    assert status.from_rst(h2) == code


def test_our_side_never_generates_a_code_about_the_application() -> None:
    """A54: these codes describe data or state of the application, which a proxy does not know."""
    forbidden = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "ABORTED"}
    forbidden |= {"OUT_OF_RANGE", "DATA_LOSS"}
    assert {status.NAMES[code] for code in status.LOCAL_ALLOWED}.isdisjoint(forbidden)
    assert {status.NAMES[code] for code in status.LOCAL_ALLOWED} == {
        "UNAVAILABLE",
        "RESOURCE_EXHAUSTED",
        "DEADLINE_EXCEEDED",
        "INTERNAL",
        "UNIMPLEMENTED",
        "CANCELLED",
    }


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"0", 0),
        (b"9", 9),
        (b"16", 16),
        (b"014", 14),
        (b"00", 0),
        (b"17", status.UNKNOWN),
        (b"2147483647", status.UNKNOWN),
        (b"99999999999", status.UNKNOWN),
        (b"00000000000", status.UNKNOWN),
        (b"", status.UNKNOWN),
        (b"-1", status.UNKNOWN),
        (b"+5", status.UNKNOWN),
        (b" 5", status.UNKNOWN),
        (b"5 ", status.UNKNOWN),
        (b"x", status.UNKNOWN),
        (b"/", status.UNKNOWN),
        (b":", status.UNKNOWN),
        (b"1_0", status.UNKNOWN),
        ("٣".encode(), status.UNKNOWN),
        (b"0, 0", status.UNKNOWN),
    ],
)
def test_grpc_status_text(value: bytes, code: int) -> None:
    """What is not 1*DIGIT within 0..16 is UNKNOWN, never OK."""
    assert status.parse_grpc_status(value) == code


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("", b""),
        ("plain text", b"plain text"),
        ("100%", b"100%25"),
        ("a\nb", b"a%0Ab"),
        ("é", b"%C3%A9"),
        ("~\x7f", b"~%7F"),
        (" both ends ", b"%20both ends%20"),
        (" ", b"%20"),
        ("\ud800", b"?"),
    ],
)
def test_message_is_encoded_into_what_a_header_may_carry(text: str, wire: bytes) -> None:
    """Printable ASCII but % as it is, the rest escaped; no space at an end, where HTTP/2 forbids it."""
    assert status.percent_encode(text) == wire


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (b"plain", "plain"),
        (b"100%25", "100%"),
        (b"%c3%a9", "é"),
        (b"%", "%"),
        (b"%2", "%2"),
        (b"%zz", "%zz"),
        (b"%2g%20", "%2g "),
        (b"%g2", "%g2"),
        (b"a%%41", "a%A"),
        (b"%ff", "\ufffd"),
        ("é".encode(), "é"),
        (b"\xff", "\ufffd"),
        (b"%41", "A"),
        (b"%5a%5A", "ZZ"),
    ],
)
def test_message_is_decoded_without_losing_anything(wire: bytes, text: str) -> None:
    """An invalid escape is no error and stays readable."""
    assert status.percent_decode(wire) == text


def test_code_mask_has_one_bit_for_each_code() -> None:
    """The set form in which policies keep codes; a code that does not exist is refused."""
    assert status.code_mask([]) == 0
    assert status.code_mask([status.UNAVAILABLE, status.OK, status.UNAVAILABLE]) == (1 << 14) | 1
    for wrong in (-1, 17):
        with pytest.raises(ValueError, match="no such gRPC status code"):
            status.code_mask([wrong])
