"""What a user of Seawall imports: the contract as `seawall.v1`, the clients and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> str:
        """Read `__version__` from the installed metadata on first use: the look-up is slow."""
        if name != "__version__":
            message = f"module 'seawall' has no attribute {name!r}"
            raise AttributeError(message)
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

        try:
            found = version("seawall")
        except PackageNotFoundError:  # run from a source tree that was never installed
            found = "0+source"
        globals()["__version__"] = found
        return found
