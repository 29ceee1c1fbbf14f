#!/usr/bin/env python3
"""Generate the Python stubs of proto/seawall/v1 into clients/python/seawall/v1, or check that they are fresh.

    python scripts/gen_proto.py           write the stubs; remove those whose .proto is gone
    python scripts/gen_proto.py --check   write nothing; exit 1 and name each file that differs

The output depends on the version of grpcio-tools, which stamps its own into the files: the `dev` extra
brings the one that they were made with.
"""

from __future__ import annotations

import argparse
import importlib.resources
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROTO = ROOT / "proto"
TARGET = ROOT / "clients" / "python"
PACKAGE = Path("seawall/v1")
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py")


def generate(into: Path) -> None:
    """Run protoc for every .proto of the package, writing below `into`."""
    from grpc_tools import protoc

    sources = sorted(str(path) for path in (PROTO / PACKAGE).glob("*.proto"))
    if not sources:
        sys.exit(f"gen_proto: no .proto files in {PROTO / PACKAGE}")
    includes = [str(PROTO), str(importlib.resources.files("grpc_tools") / "_proto")]
    arguments = ["protoc", *(f"-I{include}" for include in includes)]
    arguments += [f"--python_out={into}", f"--pyi_out={into}", f"--grpc_python_out={into}", *sources]
    code = protoc.main(arguments)
    if code != 0:
        sys.exit(f"gen_proto: protoc failed with exit code {code}; its messages are above")


def read_generated(root: Path) -> dict[str, bytes]:
    """Return the generated files below `root`, by name."""
    return {path.name: path.read_bytes() for pattern in GENERATED for path in (root / PACKAGE).glob(pattern)}


def main() -> int:
    """Generate, or compare; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if not fresh")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="seawall-proto-") as scratch:
        generate(Path(scratch))
        fresh = read_generated(Path(scratch))
    current = read_generated(TARGET)
    differing = sorted(name for name in fresh.keys() | current.keys() if fresh.get(name) != current.get(name))

    if options.check:
        for name in differing:
            what = "missing" if name not in current else "left over" if name not in fresh else "out of date"
            print(f"gen_proto: {TARGET.relative_to(ROOT) / PACKAGE / name}: {what}; run `make proto`")
        if not differing:
            print(f"gen_proto: {len(fresh)} generated files are fresh")
        return 1 if differing else 0

    folder = TARGET / PACKAGE
    folder.mkdir(parents=True, exist_ok=True)
    for name in differing:
        if name in fresh:
            (folder / name).write_bytes(fresh[name])
        else:
            (folder / name).unlink()
    print(f"gen_proto: {len(fresh)} files generated from proto/{PACKAGE}, {len(differing)} changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
