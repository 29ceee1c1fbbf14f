"""Channels on this machine: a file of JSON lines, and the control plane's own log."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from pathlib import Path

from seawall_control.domain.alerts.channels import Channel
from seawall_control.domain.alerts.messages import moment
from seawall_control.services.alerting.channels.port import Message, NotSent

_log = logging.getLogger("seawall.control.alerts")


class FileSender:
    """Appends one line of JSON for each alert, readable by the owner only; a file that would grow over its
    bound is set aside as `NAME.1` first, and the oldest of those is dropped.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def send(self, channel: Channel, message: Message) -> None:
        lines = "".join(
            json.dumps({"message_id": message.id, "time": moment(message.at_us), **body}, ensure_ascii=False)
            + "\n"
            for body in message.bodies
        )
        try:
            await asyncio.to_thread(self._append, channel, lines.encode())
        except OSError as error:
            raise NotSent(
                f"{channel.file} cannot be written ({error.strerror or type(error).__name__})"
            ) from None

    def _append(self, channel: Channel, data: bytes) -> None:
        # Not its parents: a data directory that is gone is not made anew by an alert that says so.
        self._directory.mkdir(mode=0o700, exist_ok=True)
        path = self._directory / channel.file
        try:
            size = path.lstat().st_size
        except FileNotFoundError:
            size = 0
        if size and size + len(data) > channel.max_bytes:
            self._rotate(path, channel.keep)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _rotate(self, path: Path, keep: int) -> None:
        if keep == 0:
            path.unlink()
            return
        aside = [path.with_name(f"{path.name}.{number}") for number in range(1, keep + 1)]
        for older, newer in zip(reversed(aside), [*reversed(aside[:-1]), path], strict=True):
            if newer.exists():
                newer.replace(older)


def _is_more(key: str, value: object) -> bool:
    """Leave out what is empty, and what the line says before its fields."""
    return value not in ("", None) and key != "summary"


class LogSender:
    """Writes one line for each alert to the log of the control plane."""

    async def send(self, channel: Channel, message: Message) -> None:
        for body in message.bodies:
            _log.warning(
                "alert %s: %s",
                body.get("state"),
                body.get("summary"),
                extra={"fields": {key: value for key, value in body.items() if _is_more(key, value)}},
            )
