"""What is known about services from their descriptors: which methods there are, and how to encode their
responses.

Descriptors come as serialized google.protobuf.FileDescriptorSet messages, from a file or from a server's
reflection. Several sets may hold the same file; the first one counts. A damaged or incomplete file is left
out and named in `problems`, and the others still serve.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import Descriptor, FileDescriptor, MethodDescriptor
from google.protobuf.message import DecodeError

from seawall_policy.model import MethodInfo

MAX_FILES: Final = 2_000
"""Files in all sets together; the largest public interfaces have some hundreds."""

MAX_METHODS: Final = 20_000

_SAFE_LEVELS: Final = frozenset(
    {descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS, descriptor_pb2.MethodOptions.IDEMPOTENT}
)
_FRAME_PREFIX: Final = b"\x00"


class DescriptorSource:
    """Methods by path (`/package.Service/Method`)."""

    def __init__(self, sets: Iterable[bytes] = ()) -> None:
        self.problems: list[str] = []
        """What could not be used, one sentence each."""
        self._pool = descriptor_pool.DescriptorPool()
        self._methods: dict[bytes, MethodDescriptor] = {}
        self._files = self._collect(sets)
        for file in self._load():
            self._add_methods(file)

    @property
    def empty(self) -> bool:
        """Tell whether nothing is known about any method."""
        return not self._methods

    def methods(self) -> dict[bytes, MethodInfo]:
        """Return what the descriptors say about each method."""
        return {
            path: MethodInfo(
                method.client_streaming,
                method.server_streaming,
                method.GetOptions().idempotency_level in _SAFE_LEVELS,
            )
            for path, method in self._methods.items()
        }

    def services(self) -> tuple[str, ...]:
        """Return the full names of the services that have a method."""
        return tuple(dict.fromkeys(path.decode("utf-8")[1:].rpartition("/")[0] for path in self._methods))

    def paths(self, service: str = "", method: str = "") -> tuple[bytes, ...]:
        """Return the known paths of a method, of a service, or (both empty) all of them."""
        if service and method:
            path = f"/{service}/{method}".encode()
            return (path,) if path in self._methods else ()
        prefix = f"/{service}/".encode() if service else b"/"
        return tuple(path for path in self._methods if path.startswith(prefix))

    def response_type(self, path: bytes) -> str:
        """Return the full name of a method's response message; empty for an unknown method."""
        method = self._methods.get(path)
        return method.output_type.full_name if method is not None else ""

    def encode_response(self, path: bytes, json_text: str) -> bytes | str:
        """Return the response message of a method as one gRPC frame, or (a string) why the JSON does not
        fit.
        """
        method = self._methods.get(path)
        if method is None:
            return "the method is not in the descriptors"
        return self._encode(method.output_type, json_text)

    def misfit(self, path: bytes, other: bytes) -> str:
        """Return why calls of the method `path` cannot be answered by the method `other`; empty when they
        can, or when one of them is not known.
        """
        method = self._methods.get(path)
        instead = self._methods.get(other)
        if method is None or instead is None:
            return ""
        if (method.client_streaming, method.server_streaming) != (
            instead.client_streaming,
            instead.server_streaming,
        ):
            return "one of them streams where the other does not"
        return incompatible(method.input_type, instead.input_type) or incompatible(
            method.output_type, instead.output_type
        )

    def file_descriptor_set(self) -> bytes:
        """Return all usable files as one serialized FileDescriptorSet."""
        merged = descriptor_pb2.FileDescriptorSet(file=self._files.values())
        return merged.SerializeToString(deterministic=True)

    def file_of(self, symbol: str) -> str:
        """Return the name of the file that defines a full name; empty when none does."""
        for find in (self._pool.FindFileContainingSymbol, self._file_of_method):
            try:
                return find(symbol).name
            except KeyError:
                continue
        return ""

    def _file_of_method(self, symbol: str) -> FileDescriptor:
        return self._pool.FindMethodByName(symbol).containing_service.file

    def file_of_extension(self, kind: str, number: int) -> str:
        """Return the name of the file that defines an extension of a message; empty when none does."""
        try:
            message = self._pool.FindMessageTypeByName(kind)
            return self.file_of(self._pool.FindExtensionByNumber(message, number).full_name)
        except KeyError:
            return ""

    def extension_numbers(self, kind: str) -> list[int] | None:
        """Return the numbers of the known extensions of a message; None for an unknown message."""
        try:
            message = self._pool.FindMessageTypeByName(kind)
        except KeyError:
            return None
        return sorted(extension.number for extension in self._pool.FindAllExtensions(message))

    def file_with_imports(self, name: str) -> list[bytes]:
        """Return a file and all that it imports, each as a serialized FileDescriptorProto, the file first;
        empty when it is not known.
        """
        found: dict[str, bytes] = {}
        wanted = [name]
        while wanted:
            next_name = wanted.pop(0)
            if next_name in found:
                continue
            try:
                file = self._pool.FindFileByName(next_name)
            except KeyError:
                continue
            found[next_name] = file.serialized_pb
            wanted.extend(needed.name for needed in file.dependencies)
        return list(found.values()) if name in found else []

    def _encode(self, kind: Descriptor, json_text: str) -> bytes | str:
        message = message_factory.GetMessageClass(kind)()
        # json_format takes an empty list for an empty message; only the well-known types are more than
        # objects in JSON.
        if json_text.lstrip()[:1] != "{" and not kind.full_name.startswith("google.protobuf."):
            return f"a JSON object is expected for {kind.full_name}"
        try:
            json_format.Parse(json_text, message, descriptor_pool=self._pool)
            body = message.SerializeToString(deterministic=True)
        except (json_format.ParseError, ValueError, TypeError, KeyError) as e:
            return _one_line(str(e))
        return _FRAME_PREFIX + len(body).to_bytes(4, "big") + body

    def _collect(self, sets: Iterable[bytes]) -> dict[str, descriptor_pb2.FileDescriptorProto]:
        files: dict[str, descriptor_pb2.FileDescriptorProto] = {}
        for data in sets:
            if not data:
                continue
            try:
                parsed = descriptor_pb2.FileDescriptorSet.FromString(data)
            except DecodeError:
                self.problems.append("a descriptor set is no serialized google.protobuf.FileDescriptorSet")
                continue
            for file in parsed.file:
                if len(files) >= MAX_FILES:
                    self.problems.append(
                        f"there are more than {MAX_FILES} descriptor files; the rest is left out"
                    )
                    return files
                files.setdefault(file.name, file)
        return files

    def _load(self) -> list[FileDescriptor]:
        """Add the files to the pool, each after those that it imports."""
        waiting = dict(self._files)
        loaded: set[str] = set()
        added: list[FileDescriptor] = []
        ready = True
        while waiting and ready:
            ready = False
            for name, file in list(waiting.items()):
                self._provide_well_known(file, waiting, loaded)
                if any(needed not in loaded for needed in file.dependency):
                    continue
                ready = True
                del waiting[name]
                if self._add(file):
                    loaded.add(name)
                    added.append(self._pool.FindFileByName(name))
        for name, file in waiting.items():
            absent = [needed for needed in file.dependency if needed not in loaded]
            self.problems.append(
                f"{name} imports {', '.join(absent[:3])}, which is missing; make the set with "
                "--include_imports"
            )
            del self._files[name]
        return added

    def _provide_well_known(
        self,
        file: descriptor_pb2.FileDescriptorProto,
        waiting: dict[str, descriptor_pb2.FileDescriptorProto],
        loaded: set[str],
    ) -> None:
        """Take google/protobuf/*.proto from our own library where a set leaves it out, as protoc does
        without imports.
        """
        for needed in file.dependency:
            if needed in loaded or needed in waiting or not needed.startswith("google/protobuf/"):
                continue
            try:
                ours = descriptor_pool.Default().FindFileByName(needed)
            except KeyError:
                continue
            copy = descriptor_pb2.FileDescriptorProto.FromString(ours.serialized_pb)
            self._provide_well_known(copy, waiting, loaded)
            if self._add(copy):
                loaded.add(needed)

    def _add(self, file: descriptor_pb2.FileDescriptorProto) -> bool:
        try:
            self._pool.AddSerializedFile(file.SerializeToString())
        except (TypeError, ValueError, KeyError) as e:
            self.problems.append(f"{file.name} cannot be used: {_one_line(str(e))}")
            self._files.pop(file.name, None)
            return False
        return True

    def _add_methods(self, file: FileDescriptor) -> None:
        for service in file.services_by_name.values():
            for method in service.methods:
                if len(self._methods) >= MAX_METHODS:
                    self.problems.append(f"there are more than {MAX_METHODS} methods; the rest is left out")
                    return
                self._methods[f"/{service.full_name}/{method.name}".encode()] = method


def incompatible(one: Descriptor, other: Descriptor) -> str:
    """Return why the bytes of one message cannot be read as the other; empty when they can.

    Fields with the same number must be of the same type; those that only one of them has are unknown fields
    to the other.
    """
    return _incompatible(one, other, set())


def _incompatible(one: Descriptor, other: Descriptor, seen: set[tuple[str, str]]) -> str:
    pair = (one.full_name, other.full_name)
    if pair[0] == pair[1] or pair in seen:
        return ""
    seen.add(pair)
    for number, field in one.fields_by_number.items():
        there = other.fields_by_number.get(number)
        if there is None:
            continue
        if (field.type, field.is_repeated) != (there.type, there.is_repeated):
            return f"{field.full_name} and {there.full_name} have the number {number} and different types"
        if field.message_type is not None and there.message_type is not None:
            text = _incompatible(field.message_type, there.message_type, seen)
            if text:
                return text
    return ""


def pack_files(files: Iterable[bytes]) -> bytes:
    """Return a serialized FileDescriptorSet of serialized FileDescriptorProto messages, as server reflection
    sends them.

    Bytes that are no FileDescriptorProto make a set that DescriptorSource names in its problems.
    """
    packed = bytearray()
    for data in files:
        # Field 1, length-delimited.
        packed.append(0x0A)
        rest = len(data)
        while rest > 0x7F:
            packed.append(rest & 0x7F | 0x80)
            rest >>= 7
        packed.append(rest)
        packed += data
    return bytes(packed)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:299] + "…"
