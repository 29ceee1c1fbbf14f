"""Asking an upstream for its descriptors, through gRPC server reflection (v1, then v1alpha).

Both versions are the same messages under two service names, so one set of stubs serves both. Answers are
bounded in size, number and time: what an upstream says about itself is not trusted to be small.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from google.protobuf import descriptor_pb2
from grpc_reflection.v1alpha import reflection_pb2

from seawall_policy.transport import ClientTls, unix_path

if TYPE_CHECKING:
    # At run time where it is used: nine megabytes that a proxy without reflection and control plane spares.
    import grpc

_SERVICES: Final = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
_MAX_SERVICES: Final = 200
_MAX_FILES: Final = 2_000
_MAX_REPLY_BYTES: Final = 16 << 20

_Request: TypeAlias = reflection_pb2.ServerReflectionRequest
_Call: TypeAlias = "grpc.aio.StreamStreamCall[_Request, reflection_pb2.ServerReflectionResponse]"


class ReflectionFailed(Exception):
    """The upstream gave no descriptors; the message says why."""


@dataclass(frozen=True, slots=True)
class Secure:
    """How to speak TLS with an upstream."""

    credentials: grpc.ChannelCredentials
    server_name: str
    """Empty: the host of the address."""


def secure_channel(tls: ClientTls | None, folder: Path) -> Secure | None:
    """Read what a cluster's TLS settings name; None for plaintext. Raises ReflectionFailed. For a thread."""
    if tls is None:
        return None
    if not tls.verify:
        raise ReflectionFailed("reflection needs verified certificates, which insecure_skip_verify turns off")

    import grpc  # noqa: PLC0415 - see above

    def read(name: str) -> bytes | None:
        return (folder / name).read_bytes() if name else None

    try:
        credentials = grpc.ssl_channel_credentials(
            root_certificates=read(tls.ca_file),
            private_key=read(tls.key_file),
            certificate_chain=read(tls.cert_file),
        )
    except OSError as error:
        raise ReflectionFailed(f"{error.filename} cannot be read: {error.strerror}") from error
    return Secure(credentials, tls.server_name)


def _channel(address: str, secure: Secure | None) -> grpc.aio.Channel:
    import grpc  # noqa: PLC0415 - see above

    options: list[tuple[str, str | int]] = [("grpc.max_receive_message_length", _MAX_REPLY_BYTES)]
    path = unix_path(address)
    target = f"unix:{path}" if path else address
    if secure is None:
        return grpc.aio.insecure_channel(target, options=options)
    if secure.server_name:
        options.append(("grpc.ssl_target_name_override", secure.server_name))
    return grpc.aio.secure_channel(target, secure.credentials, options=options)


async def fetch_descriptors(
    address: str, service: str, timeout_s: float, secure: Secure | None = None
) -> bytes:
    """Return a serialized FileDescriptorSet with `service` (empty: every service) and all that it depends on.

    Raises ReflectionFailed when the upstream cannot be reached, has no reflection, or does not know the
    service.
    """
    import grpc  # noqa: PLC0415 - see above

    async with _channel(address, secure) as channel:
        reason = ""
        for name in _SERVICES:
            try:
                return await _ask(channel, name, service, timeout_s)
            except grpc.aio.AioRpcError as error:
                reason = f"{address}: {error.code().name}: {error.details()}"
                if error.code() != grpc.StatusCode.UNIMPLEMENTED:
                    break
        raise ReflectionFailed(reason)


async def _ask(channel: grpc.aio.Channel, name: str, service: str, timeout_s: float) -> bytes:
    method = channel.stream_stream(
        f"/{name}/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )

    files: dict[str, bytes] = {}
    wanted: list[str] = []
    call = method(timeout=timeout_s)
    try:
        services = [service] if service else await _list_services(call)
        for symbol in services:
            await call.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol))
            _take(await _read(call), files, wanted)
        while wanted:
            file_name = wanted.pop()
            if file_name in files:
                continue
            await call.write(reflection_pb2.ServerReflectionRequest(file_by_filename=file_name))
            _take(await _read(call), files, wanted)
        await call.done_writing()
    finally:
        call.cancel()
    result = descriptor_pb2.FileDescriptorSet()
    for data in files.values():
        result.file.append(descriptor_pb2.FileDescriptorProto.FromString(data))
    return result.SerializeToString()


async def _list_services(call: _Call) -> list[str]:
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    reply = await _read(call)
    names = [entry.name for entry in reply.list_services_response.service]
    return [name for name in names if not name.startswith("grpc.")][:_MAX_SERVICES]


async def _read(call: _Call) -> reflection_pb2.ServerReflectionResponse:
    reply = await call.read()
    if not isinstance(reply, reflection_pb2.ServerReflectionResponse):
        import grpc  # noqa: PLC0415 - see above

        # The stream has ended; its status says why, and raises when it is an error.
        code = await call.code()
        if code == grpc.StatusCode.OK:
            raise ReflectionFailed("the reflection stream ended early")
        raise grpc.aio.AioRpcError(
            code, await call.initial_metadata(), await call.trailing_metadata(), await call.details()
        )
    if reply.HasField("error_response"):
        error = reply.error_response
        raise ReflectionFailed(
            f"the upstream's reflection says: {error.error_message} (code {error.error_code})"
        )
    return reply


def _take(reply: reflection_pb2.ServerReflectionResponse, files: dict[str, bytes], wanted: list[str]) -> None:
    for data in reply.file_descriptor_response.file_descriptor_proto:
        parsed = descriptor_pb2.FileDescriptorProto.FromString(data)
        files[parsed.name] = data
        wanted.extend(name for name in parsed.dependency if name not in files)
    if len(files) > _MAX_FILES:
        raise ReflectionFailed(f"the upstream's reflection names more than {_MAX_FILES} files")
