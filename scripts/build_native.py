#!/usr/bin/env python3
"""Compile the hot modules with mypyc, or leave them to the interpreter: one line says which, and why.

    python scripts/build_native.py            compile in place, if anything changed since the last time
    python scripts/build_native.py --clean    remove every compiled module and the manifest
    python scripts/build_native.py --probe    tell by the exit code whether this machine can compile

The modules are listed in pyproject.toml, `[tool.seawall.native]`. All are compiled into one group, so that
calls between them are C calls; each has a C file of its own, since one file for all takes the C compiler
several times as long, on one core only. The result is kept in build/native/<key>/, where the key covers the
sources, the interpreter, mypy and the compiler settings; a tree or a wheel is then filled from there.
hatch_build.py uses the same functions, so an installed wheel and a tree are compiled alike.

A machine without a C compiler, or a source that does not compile, is no error: what was compiled before is
removed, because it no longer matches, and the same source runs interpreted. Environment:

    SEAWALL_REQUIRE_COMPILED=1   fail instead
    SEAWALL_SKIP_NATIVE=1        do nothing at all (for builds that are compiled in a later step)
    SEAWALL_NATIVE_CACHE=DIR     instead of build/native
    CC, CFLAGS                   as usual
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from setuptools.command.build_ext import build_ext
    from setuptools.extension import Extension

ROOT: Final = Path(__file__).resolve().parents[1]
MANIFEST: Final = Path("seawall_policy/_native.json")
GROUP: Final = "seawall"
PACKAGES: Final = ("seawall_policy", "seawall_proxy")
SUFFIX: Final = str(sysconfig.get_config_var("EXT_SUFFIX"))
KEPT_BUILDS: Final = 3
TIME_LIMIT_S: Final = 1200.0

EXIT_NO_COMPILER: Final = 3
EXIT_NO_TOOLS: Final = 4

INTERPRETED: Final = "running interpreted (same source, slower)"


@dataclass(frozen=True, slots=True)
class Native:
    """A finished compilation: a folder laid out as `proxy/` is, with extension modules and the manifest."""

    folder: Path
    modules: int
    reused: bool

    def files(self) -> list[Path]:
        """Return what the folder holds, relative to it."""
        return sorted(path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file())


@dataclass(frozen=True, slots=True)
class Refused:
    """Why nothing was compiled, as the one line that is printed."""

    line: str


def hot_sources(root: Path) -> list[str]:
    """Return the hot sources that exist, as posix paths relative to `proxy/`, sorted."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    patterns: list[str] = settings["tool"]["seawall"]["native"]["modules"]
    base = root / "proxy"
    found = {path.relative_to(base).as_posix() for pattern in patterns for path in base.glob(pattern)}
    return sorted(name for name in found if not name.endswith("/__init__.py"))


def digests(root: Path, sources: list[str]) -> dict[str, str]:
    """Return the sha256 of each source."""
    return {name: hashlib.sha256((root / "proxy" / name).read_bytes()).hexdigest() for name in sources}


def build_key(hashes: dict[str, str]) -> str:
    """Return the name of the build that these sources give with this interpreter, mypy and compiler."""
    try:
        mypy = importlib.metadata.version("mypy")
    except importlib.metadata.PackageNotFoundError:
        mypy = ""
    own = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    settings = [os.environ.get(name, "") for name in ("CC", "CFLAGS", "LDFLAGS")]
    everything = json.dumps([hashes, sys.version, SUFFIX, mypy, own, settings], sort_keys=True)
    return hashlib.sha256(everything.encode()).hexdigest()[:16]


def cache_folder(root: Path) -> Path:
    """Return where finished builds and the log are kept."""
    named = os.environ.get("SEAWALL_NATIVE_CACHE")
    return Path(named).resolve() if named else root / "build" / "native"


def compile_native(root: Path, *, announce: bool = False) -> Native | Refused:
    """Compile the hot modules of the tree at `root`, or find that this was done already.

    `announce` prints a line before the work begins, for those who sit and wait.
    """
    sources = hot_sources(root)
    if not sources:
        return Refused("seawall: there are no hot modules to compile")
    hashes = digests(root, sources)
    key = build_key(hashes)
    cache = cache_folder(root)
    finished = cache / key
    if (finished / MANIFEST).exists():
        os.utime(finished)
        return Native(finished, len(sources), reused=True)

    cache.mkdir(parents=True, exist_ok=True)
    log = cache / "build.log"
    with tempfile.TemporaryDirectory(prefix="work-", dir=cache) as work:
        out = Path(work) / "out"
        refused = _run(["--probe"], root, log)
        if refused is not None:
            return refused
        if announce:
            print(f"seawall: compiling {len(sources)} modules with mypyc (a minute or so) ...", flush=True)
        refused = _run(["--compile", work], root, log)
        if refused is not None:
            return refused
        manifest = {"key": key, "suffix": SUFFIX, "python": sys.version.split()[0], "sources": hashes}
        (out / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        if finished.exists():
            shutil.rmtree(finished)
        out.rename(finished)
    _forget_old_builds(cache)
    return Native(finished, len(sources), reused=False)


def _run(step: list[str], root: Path, log: Path) -> Refused | None:
    """Do a step in a process of its own: mypyc and setuptools change their process, print, and exit."""
    command = [sys.executable, str(Path(__file__).resolve()), "--root", str(root), *step]
    paths = os.pathsep.join(str(root / part) for part in ("proxy", "clients/python"))
    environment = os.environ | {"MYPYPATH": paths}
    with log.open("w", encoding="utf-8") as stream:
        try:
            code = subprocess.run(
                command,
                cwd=root / "proxy",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=TIME_LIMIT_S,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            return Refused(f"seawall: compiling took over {TIME_LIMIT_S:.0f} s, {INTERPRETED}; log: {log}")
    if code == 0:
        return None
    text = log.read_text(encoding="utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if code in {EXIT_NO_COMPILER, EXIT_NO_TOOLS}:
        return Refused(f"seawall: {lines[-1] if lines else 'no C compiler found'}, {INTERPRETED}")
    reason = next((line for line in lines if "error:" in line), lines[-1] if lines else f"exit code {code}")
    return Refused(f"seawall: the hot modules do not compile ({reason}), {INTERPRETED}; log: {log}")


def _forget_old_builds(cache: Path) -> None:
    builds = [manifest.parents[1] for manifest in cache.glob(f"*/{MANIFEST.as_posix()}")]
    for old in sorted(builds, key=lambda folder: folder.stat().st_mtime)[:-KEPT_BUILDS]:
        shutil.rmtree(old, ignore_errors=True)


def build_in_place(root: Path, *, announce: bool = False) -> Native | Refused:
    """Put the compiled modules beside their sources; if nothing can be compiled, remove those there are."""
    base = root / "proxy"
    result = compile_native(root, announce=announce)
    if isinstance(result, Refused):
        clean(root)
        return result
    files = result.files()
    present = all((base / file).exists() for file in files)
    if result.reused and present and _same_manifest(base, result.folder):
        return result
    clean(root)
    for file in files:
        if file != MANIFEST:
            _replace(result.folder / file, base / file)
    _replace(result.folder / MANIFEST, base / MANIFEST)  # last: it vouches for the others
    return Native(result.folder, result.modules, reused=False)


def _same_manifest(base: Path, folder: Path) -> bool:
    try:
        return (base / MANIFEST).read_bytes() == (folder / MANIFEST).read_bytes()
    except OSError:
        return False


def _replace(source: Path, target: Path) -> None:
    """Copy under another name and rename, since a running process may have the old file mapped."""
    target.parent.mkdir(parents=True, exist_ok=True)
    passing = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copy2(source, passing)
    passing.replace(target)


def clean(root: Path) -> int:
    """Remove the compiled modules and the manifest from the tree; return how many files that were."""
    base = root / "proxy"
    doomed = [base / MANIFEST, *base.glob(f"{GROUP}__mypyc.*")]
    for package in PACKAGES:
        doomed += [path for pattern in ("*.so", "*.pyd") for path in (base / package).rglob(pattern)]
    present = [path for path in doomed if path.exists()]
    for path in present:
        path.unlink()
    return len(present)


def is_required() -> bool:
    """Tell whether running interpreted is to be an error."""
    return os.environ.get("SEAWALL_REQUIRE_COMPILED", "") not in {"", "0"}


def is_skipped() -> bool:
    """Tell whether nothing is to be compiled now."""
    return os.environ.get("SEAWALL_SKIP_NATIVE", "") not in {"", "0"}


# --------------------------------------------------------------- in a process of its own; prints to the log


def compile_here(root: Path, work: Path) -> int:
    """Compile into `work/out`, from `proxy/`, so that paths in tracebacks start with the package."""
    from mypyc.build import mypycify
    from setuptools.dist import Distribution

    sources = hot_sources(root)
    # Types are judged by `make check` with the project's settings; here only what stops mypyc matters, so
    # that a missing stub in an isolated build environment does not.
    options = [
        "--config-file=",
        f"--cache-dir={os.devnull}",
        "--ignore-missing-imports",
        "--follow-imports=silent",
        "--explicit-package-bases",
        "--no-warn-unused-ignores",
    ]
    extensions = mypycify(
        [*options, *sources],
        opt_level="3",
        debug_level="0",
        target_dir=str(work / "c"),
        group_name=GROUP,
        multi_file=True,
    )
    command = _parallel_build_ext()(Distribution({"name": "seawall-native", "ext_modules": extensions}))
    command.build_lib = str(work / "out")
    command.build_temp = str(work / "tmp")
    command.ensure_finalized()
    command.run()
    return 0


def _parallel_build_ext() -> type[build_ext]:
    """Return a `build_ext` that compiles the C files of one extension side by side."""
    from setuptools.command.build_ext import build_ext

    class ParallelBuildExt(build_ext):  # type: ignore[misc]  # setuptools publishes no types
        def build_extension(self, ext: Extension) -> None:
            compiler = self.compiler
            one_by_one = compiler.compile

            def side_by_side(sources: list[str], *args: Any, **named: Any) -> list[str]:
                # Small ones last, so that both ends come together.
                order = sorted(sources, key=lambda name: -Path(name).stat().st_size)
                with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
                    made = list(pool.map(lambda name: one_by_one([name], *args, **named), order))
                return [name for names in made for name in names]

            compiler.compile = side_by_side
            try:
                super().build_extension(ext)
            finally:
                compiler.compile = one_by_one

    return ParallelBuildExt


def probe(folder: Path) -> int:
    """Build an empty extension module; return 0 if that works, else say last what is wrong in a few words."""
    try:
        import mypyc.build  # noqa: F401
        from setuptools.command.build_ext import build_ext
        from setuptools.dist import Distribution
        from setuptools.extension import Extension
    except ImportError as error:
        print(f"{(error.name or 'mypy').partition('.')[0]} is not installed")
        return EXIT_NO_TOOLS
    for name, text, fault in (
        ("plain", "void *PyInit_plain(void) { return 0; }\n", "no C compiler found"),
        (
            "headers",
            "#include <Python.h>\nPyMODINIT_FUNC PyInit_headers(void) { return NULL; }\n",
            "the C headers of Python are missing",
        ),
    ):
        source = folder / f"{name}.c"
        source.write_text(text, encoding="utf-8")
        command = build_ext(Distribution({"name": "probe", "ext_modules": [Extension(name, [str(source)])]}))
        command.build_lib = command.build_temp = str(folder)
        command.ensure_finalized()
        try:
            command.run()
        except Exception as error:  # noqa: BLE001  # whatever a toolchain may raise, the answer is the same
            print(f"{type(error).__name__}: {error}")
            print(fault)
            return EXIT_NO_COMPILER
    print("C can be compiled for this Python")
    return 0


def main() -> int:
    """Do what the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--clean", action="store_true", help="remove every compiled module and the manifest")
    parser.add_argument(
        "--probe", action="store_true", help="tell whether C can be compiled here; compile nothing"
    )
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    parser.add_argument("--compile", type=Path, metavar="DIR", help=argparse.SUPPRESS)
    options = parser.parse_args()
    root: Path = options.root.resolve()

    if options.compile is not None:
        return compile_here(root, options.compile)
    if options.probe:
        with tempfile.TemporaryDirectory(prefix="seawall-probe-") as folder:
            return probe(Path(folder))
    if options.clean:
        print(f"seawall: removed {clean(root)} compiled files")
        return 0
    if is_skipped():
        print("seawall: SEAWALL_SKIP_NATIVE is set, nothing compiled")
        return 0
    begun = time.monotonic()
    result = build_in_place(root, announce=True)
    if isinstance(result, Refused):
        print(result.line, flush=True)
        return 1 if is_required() else 0
    if result.reused:
        print(f"seawall: {result.modules} modules are compiled and up to date")
    else:
        print(f"seawall: compiled {result.modules} modules with mypyc ({time.monotonic() - begun:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
