"""Sort the fields of one header list into stable and extra ones; the rules stand in `headers`."""

from __future__ import annotations

from typing import Final

from seawall_proxy.http2.headers import (
    FIELD_OVERHEAD,
    GRPC_MESSAGE,
    MAX_STABLE_MESSAGE_BYTES,
    STANDARD_NAMES,
    VOLATILE_NAMES,
    Field,
)

NO_EXTRA: Final = 1 << 30


class Splitter:
    """Sort the fields of one list into stable and extra ones while its limits hold."""

    def __init__(self, max_bytes: int, max_fields: int) -> None:
        self._max_bytes: int = max_bytes
        self._max_fields: int = max_fields
        self.stable: list[Field] = []
        self.extra: list[Field] = []
        self.first_extra: int = NO_EXTRA
        """How many stable fields came before the first extra one."""
        self.too_large: bool = False
        self.size_bytes: int = 0
        self.count: int = 0
        self._moved: set[bytes] | None = None

    def add(self, field: Field, indexed: bool) -> None:
        """Count one field and keep it, if the list is still within its limits.

        `indexed` says that its sender lets it be in a table; else it was a literal that must not.
        """
        name, value = field
        size = len(name) + len(value) + FIELD_OVERHEAD
        self.size_bytes += size
        self.count += 1
        if self.size_bytes > self._max_bytes or self.count > self._max_fields:
            self.too_large = True
        elif name in VOLATILE_NAMES or (self._moved is not None and name in self._moved):
            self._add_extra(field)
        elif name == GRPC_MESSAGE and len(value) > MAX_STABLE_MESSAGE_BYTES:
            self._move(field)
        elif indexed or name in STANDARD_NAMES:
            self.stable.append(field)
        else:
            self._move(field)

    def _add_extra(self, field: Field) -> None:
        if not self.extra:
            self.first_extra = len(self.stable)
        self.extra.append(field)

    def _move(self, field: Field) -> None:
        """Make every field of this name extra, the ones already kept as stable included."""
        name = field[0]
        if self._moved is None:
            self._moved = set()
        self._moved.add(name)
        before = [position for position in range(len(self.stable)) if self.stable[position][0] == name]
        if before:
            if not self.extra or before[0] < self.first_extra:
                self.first_extra = before[0]
            self.extra += [self.stable[position] for position in before]
            self.stable = [kept for kept in self.stable if kept[0] != name]
        self._add_extra(field)
