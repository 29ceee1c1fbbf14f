"""Mutants of grpc-timeout in both directions."""

MECHANISM = "grpc_timeout"
TESTS = ("tests/property/policy/test_deadline_properties.py", "tests/unit/policy/test_deadline.py")
_F = "seawall_policy/deadline.py"
MUTANTS = (
    (_F, "_MAX_DIGITS: Final = 8", "_MAX_DIGITS: Final = 9", "nine digits are accepted"),
    (_F, "if digits < 1 or digits > _MAX_DIGITS:", "if digits > _MAX_DIGITS:", "a unit alone is a timeout"),
    (_F, "        if digit < 0 or digit > 9:", "        if digit > 9:", "signs are digits"),
    (
        _F,
        "        return amount / 1e6\n",
        "        return amount / 1e3\n",
        "microseconds are taken for milliseconds",
    ),
    (
        _F,
        "    if _seconds(whole, unit) > seconds:\n        whole -= 1\n",
        "",
        "what is forwarded may be more than what is left",
    ),
    (
        _F,
        "    return MALFORMED\n\n\ndef _whole",
        "    return float(amount)\n\n\ndef _whole",
        "an unknown unit is a second",
    ),
    (_F, "    smaller = min(limit_s, asked_s)", "    smaller = asked_s", "the route's limit is forgotten"),
    (
        _F,
        "    return max(0.0, left)\n\n\ndef remaining",
        "    return left\n\n\ndef remaining",
        "a call may have less than no time",
    ),
    (_F, "or need_s < remaining_s", "or need_s <= remaining_s", "what ends exactly at the deadline fits"),
    (_F, '        return b"0n"', '        return b"99999999H"', "no time left is sent as no limit"),
)
