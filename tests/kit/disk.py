"""A disk that forgets what was not synced: the files that a power cut leaves.

A file keeps what was written before its last sync; a name is kept, or gone, once its directory was synced.
Everything since then may be there or not, each write for itself, which is more than real disks do and all
that they promise.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from tests.kit.strace import Step


@dataclass(slots=True)
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Step] = field(default_factory=list)

    def sync(self) -> None:
        for step in self.pending:
            _apply(self.durable, step)
        self.pending.clear()

    def after(self, dice: random.Random | None) -> bytearray:
        content = bytearray(self.durable)
        for step in self.pending:
            if dice is not None and dice.random() < 0.5:
                _apply(content, step)
        return content


def _apply(content: bytearray, step: Step) -> None:
    if step.kind == "truncate":
        content[step.size :] = b"\0" * max(0, step.size - len(content))
        return
    end = step.offset + len(step.data)
    if len(content) < end:
        content.extend(b"\0" * (end - len(content)))
    content[step.offset : end] = step.data


class Disk:
    """What is on it now, and what of it is sure."""

    def __init__(self) -> None:
        self._names: dict[str, _File] = {}
        self._sure: dict[str, _File] = {}

    def take(self, step: Step) -> None:
        """Let a step happen."""
        match step.kind:
            case "create":
                self._names.setdefault(step.path, _File())
            case "write" | "truncate":
                self._names.setdefault(step.path, _File()).pending.append(step)
            case "unlink":
                self._names.pop(step.path, None)
            case "sync":
                if step.path in self._names:
                    self._names[step.path].sync()
                else:
                    self._sync_directory(step.path)

    def _sync_directory(self, path: str) -> None:
        inside = f"{path}/"
        for name in [name for name in self._sure if name.startswith(inside) and name not in self._names]:
            del self._sure[name]
        self._sure.update({name: file for name, file in self._names.items() if name.startswith(inside)})

    def cut(
        self, target: Path, dice: random.Random | None = None, *, leave_out: tuple[str, ...] = ()
    ) -> None:
        """Write into a directory what the power cut left: nothing that was not sure, or with dice about half
        of it. Files whose name ends with one of `leave_out` do not outlive a restart.
        """
        target.mkdir(parents=True)
        names = dict(self._sure)
        if dice is not None:
            for name in {*self._names, *self._sure}:
                if self._names.get(name) is not self._sure.get(name) and dice.random() < 0.5:
                    names.pop(name, None)
                    if name in self._names:
                        names[name] = self._names[name]
        for name, file in names.items():
            if not name.endswith(leave_out):
                (target / Path(name).name).write_bytes(file.after(dice))
