"""The build hook: puts the compiled hot modules into a wheel, or beside the sources of an editable install.

Without a C compiler, or when a module does not compile, the wheel is made all the same, of the same
sources, and runs interpreted. One line says which; pip shows it with `-v`, and `seawall version` tells
afterwards. All the work is in scripts/build_native.py.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from types import ModuleType


class NativeBuildHook(BuildHookInterface[Any]):
    """Compile the hot modules while a wheel is built."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, then tell hatchling which files to add; `version` is "editable" or "standard"."""
        root = Path(self.root)
        native = _load(root / "scripts" / "build_native.py")
        if native.is_skipped():
            return
        editable = version == "editable"
        result = native.build_in_place(root) if editable else native.compile_native(root)
        if isinstance(result, native.Refused):
            print(result.line, file=sys.stderr)
            if native.is_required():
                sys.exit(1)
            return
        print(f"seawall: compiled {result.modules} modules with mypyc", file=sys.stderr)
        if not editable:
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
            for file in result.files():
                build_data["force_include"][str(result.folder / file)] = file.as_posix()


def _load(path: Path) -> ModuleType:
    """Import a script by its path: a build frontend does not put the project's folder on the module path."""
    spec = importlib.util.spec_from_file_location("seawall_build_native", path)
    if spec is None or spec.loader is None:
        message = f"{path} is missing from this source tree; it compiles the hot modules"
        raise ImportError(message)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module
