"""What the commands of `seawall alerts` share: sending, reading files, showing rules and channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seawall.cli.options import connect

if TYPE_CHECKING:
    from google.protobuf.message import Message

    M = TypeVar("M", bound=Message)
    R = TypeVar("R", bound=Message)


def send(target: str, method: str, request: Message, response: type[R]) -> R:
    """Send an RPC of AlertService."""
    with connect(target, timeout_s=70.0) as seawall:
        return seawall.call(f"/seawall.v1.AlertService/{method}", request, response)


def author() -> str:
    """Return who acts, for the record; a control plane that knows better says what it knows."""
    from seawall.client.calls import default_author

    return default_author()


def read_file(file: Any, kind: type[M]) -> M:
    """Read a message from a YAML or JSON file."""
    from seawall.cli.data_file import read_data
    from seawall.cli.plain import Mistake, to_message

    try:
        return to_message(read_data(file), kind)
    except Mistake as error:
        raise click.ClickException(f"{file.name}: {error}") from error


def pages(fetch: Callable[[int, str], Any], field: str, limit: int) -> list[Any]:
    """Return up to `limit` items of pages that `fetch(size, token)` gives."""
    found: list[Any] = []
    token = ""
    while len(found) < limit:
        page = fetch(min(limit - len(found), 500), token)
        found += getattr(page, field)
        token = page.next_page_token
        if not token:
            break
    return found[:limit]
