"""What commands say beside their data: what to try next, and what a policy falls back to."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from seawall.cli.commands import get, up
from seawall.v1.policy_pb2 import Fallback, LastGood, PolicyDocument, StaticResponse

PLAIN = up.Setup(
    config="policy.yaml",
    data_dir=".seawall",
    grpc="127.0.0.1:9090",
    http="127.0.0.1:9091",
    listen="",
    admin="127.0.0.1:8081",
    node="local",
    log_format="text",
    workers="",
    drain_grace_s=5.0,
    drain_limit_s=30.0,
)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "seawall check"),
        (
            {"grpc": "127.0.0.1:1", "http": "127.0.0.1:2", "admin": "127.0.0.1:3"},
            "seawall check --control 127.0.0.1:1 --admin 127.0.0.1:3 --http 127.0.0.1:2",
        ),
    ],
)
def test_up_says_how_to_check_what_it_has_started(
    changes: dict[str, Any], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command that is offered looks at these addresses, not at the usual ones."""
    up._banner(dataclasses.replace(PLAIN, **changes), PolicyDocument())
    assert line in [said.strip() for said in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (Fallback(cluster="spare"), "spare"),
        (Fallback(method="/shop.v1.Catalog/ListCached"), "/shop.v1.Catalog/ListCached"),
        (Fallback(static=StaticResponse()), "static"),
        (Fallback(last_good=LastGood()), "last_good"),
        (Fallback(empty=True), "empty"),
    ],
)
def test_every_kind_of_fallback_has_a_name(entry: Fallback, text: str) -> None:
    """The table of policies says what answers; `-` means that nothing does."""
    assert get._fallback_text(entry) == text
