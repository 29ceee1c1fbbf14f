"""The messages of the cases, generated from proto/interop.proto when a test starts.

The folder with the generated module is named by the environment variable SEAWALL_INTEROP_STUBS; whoever
starts peers generates it once with `generate` and passes it on.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

PROTO = Path(__file__).resolve().parent.parent / "proto" / "interop.proto"
VARIABLE = "SEAWALL_INTEROP_STUBS"
SERVICE = "/grpc.testing.TestService/"


def generate(folder: Path) -> None:
    """Write interop_pb2.py into `folder`."""
    from grpc_tools import protoc

    if protoc.main(["protoc", f"-I{PROTO.parent}", f"--python_out={folder}", str(PROTO)]) != 0:
        raise AssertionError(f"protoc refuses {PROTO}")


def _load() -> Any:
    folder = os.environ.get(VARIABLE)
    if folder is None:
        folder = tempfile.mkdtemp(prefix="interop-")
        generate(Path(folder))
    sys.path.insert(0, folder)
    try:
        return importlib.import_module("interop_pb2")
    finally:
        sys.path.remove(folder)


pb: Any = _load()
"""The generated module."""

TYPES: dict[str, tuple[Any, Any]] = {
    "EmptyCall": (pb.Empty, pb.Empty),
    "UnaryCall": (pb.SimpleRequest, pb.SimpleResponse),
    "StreamingOutputCall": (pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse),
    "StreamingInputCall": (pb.StreamingInputCallRequest, pb.StreamingInputCallResponse),
    "FullDuplexCall": (pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse),
    "UnimplementedCall": (pb.Empty, pb.Empty),
}
"""Request and response of each method."""


def types_of(path: str) -> tuple[Any, Any]:
    """Return the request's and the response's class of a full method name."""
    return TYPES[path.rpartition("/")[2]]


def zeros(size: int) -> Any:
    """Return a payload of zeros."""
    return pb.Payload(body=bytes(size))
