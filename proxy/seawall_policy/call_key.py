"""What of a call makes the key under which it is counted: parts named in a policy."""

from __future__ import annotations

from typing import Final

PEER: Final = "peer"
METHOD: Final = "method"
METADATA: Final = "metadata:"
MOST_PARTS: Final = 8
LONGEST_KEY: Final = 256
"""Of a longer key the first so many bytes count."""


class CallKey:
    """Up to 8 parts, each once: `peer`, `method`, `metadata:NAME`. Raises ValueError for anything else."""

    def __init__(self, parts: tuple[str, ...] = ()) -> None:
        if len(parts) > MOST_PARTS:
            raise ValueError(f"key: has {len(parts)} parts; use at most {MOST_PARTS}")
        self.parts: tuple[str, ...] = parts
        self.by_peer: bool = PEER in parts
        self.by_method: bool = METHOD in parts
        self.names: tuple[bytes, ...] = tuple(
            [part[len(METADATA) :].encode("ascii") for part in parts if part.startswith(METADATA)]
        )
        """Metadata keys, in the order of `parts`."""
        if len(self.names) + int(self.by_peer) + int(self.by_method) != len(parts):
            raise ValueError("key: parts are peer, method and metadata:NAME, each once")
