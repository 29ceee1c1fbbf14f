"""What a certificate of our own says: how long it is valid, and for which DNS names.

The standard library verifies certificates of peers, and shows nothing of those that it loads for us. The few
fields needed here are read from the DER form (X.690 and RFC 5280 section 4.1); a file that is not what it
should be is refused, and OpenSSL refuses it too.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

_SEQUENCE: Final = 0x30
_OCTETS: Final = 0x04
_UTC_TIME: Final = 0x17
_GENERAL_TIME: Final = 0x18
_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_DNS_NAME: Final = 0x82
_ALTERNATIVE_NAMES: Final = b"\x06\x03\x55\x1d\x11"
"""The object identifier 2.5.29.17, subjectAltName."""
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"


class NotACertificate(ValueError):
    """The bytes are no X.509 certificate."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The fields that are of use here."""

    not_before_s: float
    """Unix time."""
    not_after_s: float
    """Unix time."""
    dns_names: tuple[str, ...]
    """In lower case."""


def first_certificate(pem: str) -> Certificate:
    """Return the first certificate of a PEM file's text. Raises NotACertificate."""
    begin = pem.find(_BEGIN)
    end = pem.find(_END, begin)
    if begin < 0 or end < 0:
        raise NotACertificate("it holds no PEM block of type CERTIFICATE")
    try:
        der = ssl.PEM_cert_to_DER_cert(pem[begin : end + len(_END)])
    except ValueError as error:
        raise NotACertificate("its PEM block is damaged") from error
    return parse(der)


def parse(der: bytes) -> Certificate:
    """Return what a certificate in DER says. Raises NotACertificate."""
    try:
        return _parse(der)
    except (IndexError, ValueError) as error:
        raise NotACertificate("it is no X.509 certificate") from error


def _parse(der: bytes) -> Certificate:
    whole = _inside(der, _SEQUENCE)
    fields = _items(_inside(whole, _SEQUENCE))
    if fields[0][0] == _VERSION:
        del fields[0]
    # serial number, signature algorithm, issuer, validity, subject, public key; then what is optional
    tag, validity = fields[3]
    if tag != _SEQUENCE:
        raise ValueError("validity")
    begin, end = _items(validity)
    names: list[str] = []
    for tag, value in fields[6:]:
        if tag == _EXTENSIONS:
            names = _dns_names(_inside(value, _SEQUENCE))
    return Certificate(_time(*begin), _time(*end), tuple(names))


def _dns_names(extensions: bytes) -> list[str]:
    for _, extension in _items(extensions):
        if not extension.startswith(_ALTERNATIVE_NAMES):
            continue
        tag, value = _items(extension)[-1]
        if tag != _OCTETS:
            raise ValueError("extension")
        return [
            name.decode("ascii").lower()
            for kind, name in _items(_inside(value, _SEQUENCE))
            if kind == _DNS_NAME
        ]
    return []


def _time(tag: int, value: bytes) -> float:
    text = value.decode("ascii")
    if tag == _UTC_TIME:
        # RFC 5280: two digits of a year mean 1950 to 2049.
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERAL_TIME:
        raise ValueError("time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _inside(data: bytes, tag: int) -> bytes:
    """Return the contents of the first item, which has to be of this kind."""
    found, start, stop = _item(data, 0)
    if found != tag:
        raise ValueError("tag")
    return data[start:stop]


def _items(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    at = 0
    while at < len(data):
        tag, start, at = _item(data, at)
        found.append((tag, data[start:at]))
    return found


def _item(data: bytes, at: int) -> tuple[int, int, int]:
    """Return tag, start and end of the contents of the item at a place."""
    tag = data[at]
    length = data[at + 1]
    start = at + 2
    if length & 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= 4:
            raise ValueError("length")
        length = int.from_bytes(data[start : start + octets], "big")
        start += octets
    if start + length > len(data):
        raise ValueError("length")
    return tag, start, start + length
