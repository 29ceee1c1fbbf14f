"""An exported audit journal, walked without a control plane."""

from __future__ import annotations

import json
from pathlib import Path

import click

from seawall.v1.admin_access_pb2 import VerifyAuditResponse
from seawall_control.domain.audit import TOPIC
from seawall_control.domain.records import Entry, broken_link
from seawall_control.services.keyring import Keyring


def walk(path: Path, key_file: Path | None) -> VerifyAuditResponse:
    """Return what the walk found. Sealed entries need the key file. Raise `click.ClickException`."""
    keys = Keyring(key_file) if key_file is not None else None
    if keys is not None and keys.problem:
        raise click.ClickException(keys.problem)
    found = VerifyAuditResponse(intact=True)
    before: list[Entry] = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            entry = _entry(path, number, line)
            name, colon, _ = entry.chain.partition(":")
            if colon and (keys is None or keys.named(name) is None):
                raise click.ClickException(
                    f"entry {entry.number} is sealed with key {name[:64]}; give its file with --store-keys"
                )
            if broken_link([*before, entry], keys) is not None:
                found.intact, found.broken = False, entry.number
                found.problem = f"entry {entry.number} was changed, or an entry before it is missing"
                return found
            found.first = found.first or entry.number
            found.entries += 1
            found.sealed += ":" in entry.chain
            found.last, found.head = entry.number, entry.chain
            before = [entry]
    return found


def _entry(path: Path, number: int, line: str) -> Entry:
    try:
        value = json.loads(line)
        return Entry(
            TOPIC, int(value["number"]), int(value["time_us"]), str(value["body"]), str(value["chain"])
        )
    except (ValueError, KeyError, TypeError):
        raise click.ClickException(
            f"{path}, line {number}: this is no line of `seawall audit export`"
        ) from None
