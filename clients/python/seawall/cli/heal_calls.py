"""Calls of HealingService, for the commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from seawall.cli.options import connect

if TYPE_CHECKING:
    from google.protobuf.message import Message

    R = TypeVar("R", bound=Message)


def send(target: str, method: str, request: Message, response: type[R]) -> R:
    """Send an RPC; an action may take a while."""
    with connect(target, timeout_s=150.0) as seawall:
        return seawall.call(f"/seawall.v1.HealingService/{method}", request, response)
