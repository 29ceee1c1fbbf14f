"""Mutants of the mapping of statuses."""

MECHANISM = "status"
TESTS = ("tests/property/policy/test_status_properties.py", "tests/unit/policy/test_status.py")
_F = "seawall_policy/status.py"
MUTANTS = (
    (_F, "    429: UNAVAILABLE,", "    429: RESOURCE_EXHAUSTED,", "429 is not what the mapping of gRPC says"),
    (_F, "    0x7: UNAVAILABLE,", "    0x7: INTERNAL,", "REFUSED_STREAM is not safe to send elsewhere"),
    (
        _F,
        "return _FROM_HTTP.get(status, UNKNOWN)",
        "return _FROM_HTTP.get(status, OK)",
        "an HTTP reply without a status is a success",
    ),
    (
        _F,
        "return digit if 0 <= digit <= 9 else UNKNOWN",
        "return digit if 0 <= digit <= 9 else OK",
        "an unreadable status is a success",
    ),
    (_F, "return code if code <= MAX_CODE else UNKNOWN", "return code", "unassigned codes come through"),
    (
        _F,
        "_FROM_RST.get(h2_code, INTERNAL)",
        "_FROM_RST.get(h2_code, UNAVAILABLE)",
        "a broken transport invites retries",
    ),
    (_F, "byte != 0x25 and not", "not", "a percent sign is not encoded"),
    (
        _F,
        "(byte == 0x20 and (i in (0, last)))",
        "(byte == 0x20 and i == 0)",
        "a space at the end is sent as it is",
    ),
    (
        _F,
        "if byte == 0x25 and i + 2 < end:",
        "if byte == 0x25 and i + 3 < end:",
        "an escape at the very end stays",
    ),
    (
        _F,
        "frozenset(\n    (CANCELLED, ",
        "frozenset(\n    (CANCELLED, NOT_FOUND, ",
        "the proxy may invent NOT_FOUND",
    ),
)
