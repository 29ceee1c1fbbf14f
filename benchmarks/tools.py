"""What a benchmark builds before it runs: the C programs of `native/`, a Go client, a Node client's packages.

Everything is built into a cache folder outside the tree ($SEAWALL_BENCH_CACHE, or ~/.cache/seawall-bench),
and built again when its sources change. What cannot be built is left out, with the reason.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Missing(Exception):
    """A tool or a peer is not there; the message says what would bring it."""


def cache_folder() -> Path:
    """Return the folder for what is built."""
    given = os.environ.get("SEAWALL_BENCH_CACHE")
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = Path(given) if given else home / "seawall-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@cache
def native(name: str) -> Path:
    """Compile `native/NAME.c`; return the program."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise Missing("the load generator and the upstream are C: install gcc or clang")
    program = cache_folder() / f"{name}-{_digest(HERE / 'native')}"
    if not program.exists():
        source = HERE / "native" / f"{name}.c"
        # The newest C library functions are not needed, the math library is (exponential gaps).
        _run([compiler, "-O2", "-o", str(program), str(source), "-lm"], HERE, f"compiling {source.name}")
    return program


@cache
def go_client() -> Path:
    """Build the grpc-go client; return the program."""
    go = shutil.which("go")
    if go is None:
        raise Missing("grpc-go: Go is not installed")
    folder = HERE / "clients" / "go"
    program = cache_folder() / f"go-client-{_digest(folder)}"
    if not program.exists():
        # Not in the tree: `go mod tidy` writes go.sum beside the module.
        work = cache_folder() / "go"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(folder, work)
        _run([go, "mod", "tidy"], work, "fetching grpc-go")
        _run([go, "build", "-o", str(program), "."], work, "building the grpc-go client")
    return program


@cache
def node_client() -> list[str]:
    """Install @grpc/grpc-js; return the command of the client."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Missing("grpc-js: node or npm is not installed")
    folder = cache_folder() / f"node-{_digest(HERE / 'clients' / 'node')}"
    if not (folder / "node_modules" / "@grpc" / "grpc-js").exists():
        shutil.copytree(HERE / "clients" / "node", folder, dirs_exist_ok=True)
        _run([npm, "install", "--no-audit", "--no-fund", "--silent"], folder, "installing @grpc/grpc-js")
    return [node, str(folder / "client.js")]


@cache
def certificate() -> tuple[Path, Path]:
    """Make a self-signed certificate for 127.0.0.1 and localhost; return it and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise Missing("TLS: the openssl program is not installed")
    certificate_file, key_file = cache_folder() / "cert.pem", cache_folder() / "key.pem"
    if not certificate_file.exists():
        command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        command += ["-days", "3650", "-keyout", str(key_file), "-out", str(certificate_file)]
        _run(command, cache_folder(), "making a certificate")
    return certificate_file, key_file


def _digest(folder: Path) -> str:
    state = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            state.update(path.name.encode() + path.read_bytes())
    return state.hexdigest()[:12]


def _run(command: list[str], folder: Path, what: str) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired as error:
        raise Missing(f"{what} took more than 300 s") from error
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise Missing(f"{what} failed: {lines[-1] if lines else done.returncode}")
