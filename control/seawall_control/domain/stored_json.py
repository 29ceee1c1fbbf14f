"""Reading back the JSON text of a stored document, field by field, with the type that each must have."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from seawall_control.domain.events import Json


def text_of(data: Json) -> str:
    """Return the JSON text of a value, the same for the same value."""
    return json.dumps(data, separators=(",", ":"), sort_keys=True)


@dataclass(frozen=True, slots=True)
class Fields:
    """An object of a stored document. What is missing or of another type raises ValueError."""

    data: Mapping[str, Json]

    @classmethod
    def parse(cls, body: str) -> Fields:
        """Return the object that a document's text is."""
        return _fields(json.loads(body), "the document")

    def text(self, name: str) -> str:
        """Return a string."""
        value = self._value(name)
        if not isinstance(value, str):
            raise ValueError(f"{name} is no text")  # noqa: TRY004 - the document is wrong, not the program
        return value

    def integer(self, name: str) -> int:
        """Return an integer."""
        value = self._value(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"{name} is no integer")  # noqa: TRY004
        return value

    def number(self, name: str) -> float:
        """Return a number."""
        value = self._value(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ValueError(f"{name} is no number")  # noqa: TRY004
        return float(value)

    def flag(self, name: str) -> bool:
        """Return a truth value."""
        value = self._value(name)
        if not isinstance(value, bool):
            raise ValueError(f"{name} is neither true nor false")  # noqa: TRY004
        return value

    def integers(self, name: str) -> tuple[int, ...]:
        """Return a list of integers."""
        return tuple(item for item in self._list(name) if isinstance(item, int))

    def numbers(self, name: str) -> tuple[float, ...]:
        """Return a list of numbers."""
        return tuple(float(item) for item in self._list(name) if isinstance(item, int | float))

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of strings."""
        return tuple(item for item in self._list(name) if isinstance(item, str))

    def values(self, name: str) -> Sequence[Json]:
        """Return a list of anything."""
        return self._list(name)

    def object(self, name: str) -> Fields:
        """Return an object."""
        return _fields(self._value(name), name)

    def objects(self, name: str) -> Iterator[Fields]:
        """Yield the objects of a list."""
        for item in self._list(name):
            yield _fields(item, name)

    def _value(self, name: str) -> Json:
        if name not in self.data:
            raise ValueError(f"{name} is missing")
        return self.data[name]

    def _list(self, name: str) -> Sequence[Json]:
        value = self._value(name)
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise ValueError(f"{name} is no list")  # noqa: TRY004
        return value


def _fields(value: Json, name: str) -> Fields:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is no object")  # noqa: TRY004
    return Fields(value)
