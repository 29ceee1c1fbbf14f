"""What the proxied services say about themselves, put together: one source for each cluster and one for the
policy's own descriptors.

Sources are kept apart, since two upstreams may have different files of one name, and a file is only good with
the imports that it was made with. A name is looked up in the order of the sources: the policy's, then the
clusters as the document has them. Files that differ between sources are named in `conflicts`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Final

from google.protobuf import descriptor_pb2
from google.protobuf.message import DecodeError

from seawall_policy.descriptors import DescriptorSource

MAX_CONFLICTS: Final = 20


class DescriptorBook:
    """Answers questions of reflection. Never changes after it was made."""

    def __init__(self, sources: Mapping[str, bytes], missing: Mapping[str, str]) -> None:
        """Read serialized FileDescriptorSets by the name of their source; `missing` says why others lack."""
        self.missing: dict[str, str] = dict(missing)
        """Clusters that did not answer, with the reason."""
        self.problems: list[str] = []
        self._sources: list[DescriptorSource] = []
        seen: dict[str, tuple[str, bytes]] = {}
        self.conflicts: list[str] = []
        """Files that are not the same everywhere, one sentence each."""
        for name, data in sources.items():
            source = DescriptorSource([data])
            self.problems.extend(f"{name}: {problem}" for problem in source.problems)
            self._sources.append(source)
            self._compare(name, data, seen)

    def services(self) -> list[str]:
        """Return the names of all services, sorted."""
        return sorted({name for source in self._sources for name in source.services()})

    def by_name(self, file: str) -> list[bytes]:
        """Return a file with its imports; empty when it is not known."""
        return self._first(lambda source: source.file_with_imports(file))

    def by_symbol(self, symbol: str) -> list[bytes]:
        """Return the file that defines a name, with its imports; empty when it is not known."""
        return self._first(lambda source: source.file_with_imports(source.file_of(symbol)))

    def by_extension(self, kind: str, number: int) -> list[bytes]:
        """Return the file that defines an extension, with its imports; empty when it is not known."""
        return self._first(lambda source: source.file_with_imports(source.file_of_extension(kind, number)))

    def extension_numbers(self, kind: str) -> list[int] | None:
        """Return the numbers of a message's extensions; None for an unknown message."""
        for source in self._sources:
            numbers = source.extension_numbers(kind)
            if numbers is not None:
                return numbers
        return None

    def _first(self, ask: Callable[[DescriptorSource], list[bytes]]) -> list[bytes]:
        for source in self._sources:
            found = ask(source)
            if found:
                return found
        return []

    def _compare(self, name: str, data: bytes, seen: dict[str, tuple[str, bytes]]) -> None:
        try:
            files = descriptor_pb2.FileDescriptorSet.FromString(data).file
        except DecodeError:
            return
        for file in files:
            digest = hashlib.sha256(file.SerializeToString(deterministic=True)).digest()
            first, known = seen.setdefault(file.name, (name, digest))
            if known != digest and len(self.conflicts) < MAX_CONFLICTS:
                self.conflicts.append(f"{file.name} of {name} is not the one of {first}, which is shown")
