"""Giving a scalar the type that its setting wants.

Each function returns the value or raises ScalarError with a sentence that ends the one that names the value.
What looks like a number in one place is a word in another: `no`, `on`, `1:30` and `012` are the classic traps
of YAML 1.1, and none of them is ever taken for something that the author did not write.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import Final

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.duration_pb2 import Duration

from seawall_policy.compile import codes
from seawall_policy.durations import NANOS_PER_SECOND, parse_duration
from seawall_policy.sizes import parse_size
from seawall_policy.suggest import did_you_mean
from seawall_proxy.config.nodes import Scalar

_INTEGER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_WITH_UNIT: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?\s*[A-Za-zµ]+")
_LEADING_ZERO: Final = re.compile(r"[+-]?0[0-9]+", re.ASCII)
_NOT_FINITE: Final = re.compile(r"[+-]?(\.?inf(inity)?|\.?nan)", re.IGNORECASE)
_MAX_UINT32: Final = 2**32 - 1
_MAX_DIGITS: Final = 400
_MAX_EXACT: Final = 2**53
"""Beyond it a JSON number, which is a double, no longer tells neighbours apart."""

_OTHER_BOOLEANS: Final = {
    "yes": "true",
    "on": "true",
    "y": "true",
    "1": "true",
    "no": "false",
    "off": "false",
    "n": "false",
    "0": "false",
}


class ScalarError(ValueError):
    """A value that does not fit its setting."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code: str = code


def to_bool(scalar: Scalar) -> bool:
    """Return true or false; nothing else is a boolean."""
    word = scalar.text.casefold()
    if word in ("true", "false"):
        return word == "true"
    meant = _OTHER_BOOLEANS.get(word)
    raise ScalarError(codes.WRONG_TYPE, "is neither true nor false" + (f"; write {meant}" if meant else ""))


def to_uint32(scalar: Scalar) -> int:
    """Return a whole number from 0 to 4294967295."""
    text = scalar.text
    if not _INTEGER.fullmatch(text) or len(text) > _MAX_DIGITS:
        raise ScalarError(codes.BAD_NUMBER, "is not a whole number" + _unit_hint(text))
    _refuse_leading_zero(text)
    value = int(text)
    if not 0 <= value <= _MAX_UINT32:
        raise ScalarError(
            codes.OUT_OF_RANGE, f"is out of range; a whole number from 0 to {_MAX_UINT32} is expected"
        )
    return value


def to_double(scalar: Scalar) -> float:
    """Return a finite number."""
    text = scalar.text
    if _NOT_FINITE.fullmatch(text):
        raise ScalarError(codes.NOT_FINITE, "is not a finite number")
    if not _DECIMAL.fullmatch(text) or len(text) > _MAX_DIGITS:
        raise ScalarError(codes.BAD_NUMBER, "is not a number" + _unit_hint(text))
    _refuse_leading_zero(text)
    value = float(text)
    if not math.isfinite(value):
        raise ScalarError(codes.NOT_FINITE, "is too large for a number")
    return value


def to_percent(scalar: Scalar) -> float:
    """Return a percentage, written `50%` or `50`."""
    text = scalar.text.strip()
    bare = text.removesuffix("%").rstrip()
    try:
        return to_double(Scalar(bare, scalar.plain, scalar.position))
    except ScalarError as e:
        if e.code == codes.BAD_NUMBER:
            raise ScalarError(codes.BAD_NUMBER, "is not a percentage; write it like 50%") from None
        raise


def to_size(scalar: Scalar) -> int:
    """Return an amount of memory in bytes, written `64KiB` or `65536`."""
    text = scalar.text.strip()
    _refuse_leading_zero(text)
    try:
        value = parse_size(text)
    except ValueError as e:
        raise ScalarError(codes.BAD_NUMBER, str(e)) from None
    if value > _MAX_UINT32:
        raise ScalarError(codes.OUT_OF_RANGE, "is out of range; less than 4GiB is expected")
    return value


def to_duration(scalar: Scalar) -> Duration:
    """Return a length of time, written `50ms`, `1.5s` or `1m30s`."""
    try:
        nanos = parse_duration(scalar.text)
    except ValueError as e:
        raise ScalarError(codes.BAD_DURATION, str(e)) from None
    return Duration(seconds=nanos // NANOS_PER_SECOND, nanos=nanos % NANOS_PER_SECOND)


def to_enum(scalar: Scalar, enum: EnumDescriptor) -> int:
    """Return the number of a choice, written in lower case without the enumeration's prefix, or with its
    full name.
    """
    names = enum_words(enum)
    text = scalar.text
    for word, number in names.items():
        if text in (word, enum.values_by_number[number].name):
            return number
    hint = did_you_mean(text, names)
    raise ScalarError(codes.BAD_ENUM, f"is not one of {', '.join(names)}.{hint}")


def enum_words(enum: EnumDescriptor) -> dict[str, int]:
    """Return the choices of an enumeration as a file spells them; the unset value is none."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {
        value.name.removeprefix(prefix).lower(): value.number for value in enum.values if value.number != 0
    }


def to_bytes(scalar: Scalar) -> bytes:
    """Return bytes from base64, in the standard or the URL alphabet."""
    try:
        return base64.b64decode(
            "".join(scalar.text.split()).replace("-", "+").replace("_", "/"), validate=True
        )
    except (binascii.Error, ValueError):
        raise ScalarError(codes.WRONG_TYPE, "is not base64") from None


JsonScalar = str | float | bool | None


def to_json(scalar: Scalar) -> JsonScalar:
    """Return a JSON value by the core schema of YAML 1.2, where `no`, `on` and `1:30` are words."""
    text = scalar.text
    if not scalar.plain:
        return text
    if scalar.is_null:
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if _NOT_FINITE.fullmatch(text) and text.lstrip("+-").startswith("."):
        raise ScalarError(codes.NOT_FINITE, "is not a finite number; JSON has none such")
    if not looks_numeric(text):
        return text
    _refuse_leading_zero(text)
    if len(text) > _MAX_DIGITS:
        raise ScalarError(codes.BAD_NUMBER, "has too many digits; put it in quotes")
    if _INTEGER.fullmatch(text) and abs(int(text)) > _MAX_EXACT:
        raise ScalarError(codes.BAD_NUMBER, "is too large to be exact as a JSON number; put it in quotes")
    return to_double(scalar)


def looks_numeric(text: str) -> bool:
    """Tell whether plain text is a number by the core schema of YAML 1.2."""
    return _DECIMAL.fullmatch(text) is not None


def looks_special(text: str) -> bool:
    """Tell whether plain text would not be read as the same word."""
    lowered = text.lower()
    return (
        lowered in ("", "~", "null", "true", "false")
        or looks_numeric(text)
        or _NOT_FINITE.fullmatch(text) is not None
    )


def _refuse_leading_zero(text: str) -> None:
    if _LEADING_ZERO.fullmatch(text):
        raise ScalarError(
            codes.BAD_NUMBER,
            "starts with a zero, which some readers take for octal; remove the zero, or put it in quotes "
            "for text",
        )


def _unit_hint(text: str) -> str:
    if text.endswith("%"):
        return "; a plain ratio such as 0.2 is expected, no percentage"
    if len(text) <= _MAX_DIGITS and _WITH_UNIT.fullmatch(text):
        return "; a plain number without a unit is expected"
    if text.count(":") and text.replace(":", "").isdigit():
        return "; base sixty is not understood"
    return ""
