#!/usr/bin/env python3
"""Generate the Python stubs of proto/seawall/v1 into clients/python/seawall/v1, or check that they are fresh;
with them comments.json, what the .proto files say about each thing: descriptors at run time do not carry it.

    python scripts/gen_proto.py           write the stubs; remove those whose .proto is gone
    python scripts/gen_proto.py --check   write nothing; exit 1 and name each file that differs

The output depends on the version of grpcio-tools, which stamps its own into the files: the `dev` extra
brings the one that they were made with.
"""

from __future__ import annotations

import argparse
import importlib.resources
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PROTO = ROOT / "proto"
TARGET = ROOT / "clients" / "python"
PACKAGE = Path("seawall/v1")
COMMENTS = "comments.json"
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", COMMENTS)


def generate(into: Path) -> None:
    """Run protoc for every .proto of the package, writing below `into`."""
    from grpc_tools import protoc

    sources = sorted(str(path) for path in (PROTO / PACKAGE).glob("*.proto"))
    if not sources:
        sys.exit(f"gen_proto: no .proto files in {PROTO / PACKAGE}")
    includes = [str(PROTO), str(importlib.resources.files("grpc_tools") / "_proto")]
    arguments = ["protoc", *(f"-I{include}" for include in includes)]
    described = into / "described.binpb"
    arguments += [f"--python_out={into}", f"--pyi_out={into}", f"--grpc_python_out={into}"]
    arguments += ["--include_source_info", f"--descriptor_set_out={described}", *sources]
    code = protoc.main(arguments)
    if code != 0:
        sys.exit(f"gen_proto: protoc failed with exit code {code}; its messages are above")
    (into / PACKAGE / COMMENTS).write_text(comments(described.read_bytes()), encoding="utf-8")


def comments(described: bytes) -> str:
    """Return what stands above everything that has a name, by full name, as JSON."""
    from google.protobuf import descriptor_pb2

    found: dict[str, str] = {}
    for file in descriptor_pb2.FileDescriptorSet.FromString(described).file:
        for location in file.source_code_info.location:
            text = " ".join(location.leading_comments.split())
            name = named(file, list(location.path))
            if text and name:
                found[f"{file.package}.{name}"] = text
    return json.dumps(found, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def named(file: Any, path: list[int]) -> str:
    """Return the name of what a path of a file descriptor points to; empty for what has none."""
    at: Any = file
    names: list[str] = []
    for number, index in zip(path[::2], path[1::2], strict=False) if len(path) % 2 == 0 else ():
        field = at.DESCRIPTOR.fields_by_number.get(number)
        if field is None or field.message_type is None or not field.is_repeated:
            return ""
        at = getattr(at, field.name)[index]
        names.append(getattr(at, "name", ""))
    return ".".join(names) if names and all(names) else ""


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
