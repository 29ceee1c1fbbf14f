"""Which form of the hot modules runs: compiled with mypyc, or the same source interpreted.

The native build leaves extension modules beside their sources and a manifest, `_native.json`, in this
package: for each hot source its sha256 at build time. Python prefers an extension to a source of the same
name, so nothing needs to be done to run compiled. `SEAWALL_INTERPRETED=1` in the environment puts a finder
in front that only sees sources; it works for whichever package is imported first, because importing
`seawall_policy` calls `activate()` before anything else, and `seawall_proxy` imports `seawall_policy`
first.

Only the standard library is used here, since this runs at the start of every process and during a build.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

MANIFEST_NAME: Final = "_native.json"
VARIABLE: Final = "SEAWALL_INTERPRETED"

_PACKAGES: Final = ("seawall_policy.", "seawall_proxy.")
_FALSE: Final = frozenset({"", "0", "false", "no"})

State = Literal["compiled", "interpreted", "stale"]


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """What this process runs."""

    compiled: bool
    """Extension modules are in use."""
    stale: bool
    """Extension modules are in use, and a source has changed since they were built."""
    modules: int
    """Number of extension modules present for this interpreter, whether they are in use or not."""
    forced: bool
    """`SEAWALL_INTERPRETED` keeps present extension modules out of use."""
    changed: tuple[str, ...]
    """The sources that changed since, relative to the folder of the packages, sorted."""

    @property
    def state(self) -> State:
        """Return the one word for it."""
        if not self.compiled:
            return "interpreted"
        return "stale" if self.stale else "compiled"

    def __str__(self) -> str:
        """Say it as `seawall version` does."""
        if self.forced:
            return f"interpreted ({VARIABLE} is set; {self.modules} compiled modules not used)"
        if not self.compiled:
            return "interpreted (no compiled modules; same behaviour, slower)"
        if self.stale:
            what = ", ".join(self.changed)
            return f"compiled ({self.modules} modules), but the source has changed since: {what}"
        return f"compiled ({self.modules} modules)"


class SourceFinder:
    """A meta path finder that finds the submodules of the hot packages as sources only."""

    def __init__(self) -> None:
        self._finders: dict[str, FileFinder] = {}

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return the spec of `fullname`'s source file, or None to let the usual finders look."""
        if path is None or not fullname.startswith(_PACKAGES):
            return None
        for folder in path:
            finder = self._finders.get(folder)
            if finder is None:
                finder = self._finders[folder] = FileFinder(folder, (SourceFileLoader, [".py"]))
            spec = finder.find_spec(fullname, target)
            if spec is not None and spec.loader is not None:
                return spec
        return None

    def invalidate_caches(self) -> None:
        """Forget the folders' listings."""
        for finder in self._finders.values():
            finder.invalidate_caches()


def interpreted_is_forced() -> bool:
    """Tell whether the environment asks for the uncompiled source."""
    return os.environ.get(VARIABLE, "").strip().lower() not in _FALSE


def activate() -> None:
    """Keep compiled modules out of this process if the environment says so; idempotent."""
    if interpreted_is_forced() and not any(isinstance(finder, SourceFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, SourceFinder())


def build_info(root: Path | None = None) -> BuildInfo:
    """Return what runs, reading the manifest and hashing the hot sources (a few milliseconds).

    `root` is the folder that holds the packages; by default the one that this module was imported from.
    """
    import hashlib  # noqa: PLC0415
    import json  # noqa: PLC0415

    root = Path(__file__).parents[1] if root is None else root
    forced = interpreted_is_forced()
    try:
        manifest = json.loads((root / "seawall_policy" / MANIFEST_NAME).read_text(encoding="utf-8"))
        sources: dict[str, str] = dict(manifest["sources"])
        suffix = str(manifest["suffix"])
    except (OSError, ValueError, KeyError, TypeError):
        return BuildInfo(compiled=False, stale=False, modules=0, forced=False, changed=())
    usable = suffix in EXTENSION_SUFFIXES
    built = [source for source in sources if usable and _extension(root, source, suffix).exists()]
    if not built:
        return BuildInfo(compiled=False, stale=False, modules=0, forced=False, changed=())
    if forced:
        return BuildInfo(compiled=False, stale=False, modules=len(built), forced=True, changed=())
    changed: list[str] = []
    for source, digest in sources.items():
        try:
            now = hashlib.sha256((root / source).read_bytes()).hexdigest()
        except OSError:
            now = ""
        if now != digest:
            changed.append(source)
    return BuildInfo(
        compiled=True, stale=bool(changed), modules=len(built), forced=False, changed=tuple(sorted(changed))
    )


def _extension(root: Path, source: str, suffix: str) -> Path:
    return root / (source.removesuffix(".py") + suffix)
