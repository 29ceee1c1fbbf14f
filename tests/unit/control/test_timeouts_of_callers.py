"""The two headers in which a caller says how long it waits."""

from __future__ import annotations

import math

import pytest

from seawall_control.api.http.deadline import timeout_s
from seawall_control.domain.errors import InvalidRequest


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, math.inf),
        ({"grpc-timeout": "2S"}, 2),
        ({"grpc-timeout": "1H"}, 3600),
        ({"grpc-timeout": "3M"}, 180),
        ({"grpc-timeout": "500m"}, 0.5),
        ({"grpc-timeout": "7u"}, 7e-6),
        ({"grpc-timeout": "99999999n"}, 0.099999999),
        ({"seawall-timeout": "1.5s"}, 1.5),
        ({"seawall-timeout": "250ms"}, 0.25),
        ({"seawall-timeout": "2m"}, 120),
        ({"seawall-timeout": "1h", "grpc-timeout": "5S"}, 5),
        ({"seawall-timeout": "1s", "grpc-timeout": "5S"}, 1),
    ],
)
def test_timeouts(headers: dict[str, str], seconds: float) -> None:
    """Units are those of gRPC and of policies; the shorter one counts."""
    assert timeout_s(headers) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "-1S", "1e3S", "123456789S", "5 S", "inf"])
def test_what_is_no_timeout(text: str) -> None:
    """Refused rather than taken for none."""
    with pytest.raises(InvalidRequest, match="grpc-timeout"):
        timeout_s({"grpc-timeout": text})
    with pytest.raises(InvalidRequest, match="seawall-timeout"):
        timeout_s({"seawall-timeout": text or "x"})
