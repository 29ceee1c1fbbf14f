"""grpc.reflection.v1 (and v1alpha, the same messages) for the proxied services.

What upstreams say is asked for when somebody wants to know, all clusters at once, and kept for a while; a
cluster that did not answer is asked again sooner. Questions that come meanwhile wait for the answer. Only
services that a route is for are listed. Asking happens beside the data path, on connections of its own.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from grpc_reflection.v1alpha import reflection_pb2

from seawall_policy import status
from seawall_proxy.call.local import LocalCall, LocalHandler
from seawall_proxy.runtime.descriptor_book import DescriptorBook
from seawall_proxy.runtime.reflection import ReflectionFailed, fetch_descriptors, secure_channel

if TYPE_CHECKING:
    from seawall_proxy.call.routing import RoutingTable
    from seawall_proxy.runtime.policy_holder import PolicyHolder
    from seawall_proxy.runtime.worker import Worker
    from seawall_proxy.upstream.clusters import ClusterSet

log = logging.getLogger("seawall.reflection")

SERVICES: Final = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
PATHS: Final = tuple(f"/{name}/ServerReflectionInfo".encode() for name in SERVICES)

FRESH_S: Final = 60.0
"""For how long an answer of all clusters is used."""
INCOMPLETE_S: Final = 5.0
"""For how long one is used that lacks a cluster."""
TIMEOUT_S: Final = 5.0
"""Of one endpoint; it may have much to say."""
MAX_AT_ONCE: Final = 8
"""Clusters that are asked at one time."""
MAX_TRIES: Final = 2
"""Endpoints of a cluster that are asked before it counts as away."""
POLICY: Final = "the policy's descriptors"


class ReflectionBook:
    """Gets the book and keeps it fresh."""

    def __init__(
        self, worker: Worker, clusters: ClusterSet, holder: PolicyHolder, own: tuple[str, ...]
    ) -> None:
        self._worker: Worker = worker
        self._clusters: ClusterSet = clusters
        self._holder: PolicyHolder = holder
        self._own: tuple[str, ...] = own
        self._book: DescriptorBook | None = None
        self._table: RoutingTable | None = None
        self._until: float = 0.0
        self._task: asyncio.Task[None] | None = None
        self._waiting: list[_Reflection] = []
        self._told: str = ""

    def now(self) -> DescriptorBook | None:
        """Return the book, None when it has to be asked for."""
        context = self._worker.context
        if self._table is not context.table or context.now >= self._until:
            return None
        return self._book

    def ask(self, handler: _Reflection) -> None:
        """Have `handler.resume` called once there is a book."""
        self._waiting.append(handler)
        if self._task is None:
            self._task = self._worker.loop.create_task(self._load())

    def forget(self, handler: _Reflection) -> None:
        """Let go of a handler whose call has ended."""
        if handler in self._waiting:
            self._waiting.remove(handler)

    def services(self, book: DescriptorBook) -> list[str]:
        """Return the services that callers can reach."""
        table = self._table
        routed = set() if table is None else {route.service for route in table.snapshot.routes}
        known = [name for name in book.services() if "" in routed or name in routed]
        return sorted({*known, *self._own})

    async def close(self) -> None:
        """Stop asking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _load(self) -> None:
        table = self._worker.context.table
        try:
            book = await self._make(table)
            self._tell(book)
        except Exception:
            log.exception("putting descriptors together failed")
            book = DescriptorBook({}, {"the proxy": "an internal error, see its log"})
        finally:
            self._task = None
        now = self._worker.tell_time()
        self._book = book
        self._table = table
        self._until = now + (INCOMPLETE_S if book.missing else FRESH_S)
        waiting, self._waiting = self._waiting, []
        for handler in waiting:
            handler.resume(book)
        self._worker.after_batch()

    async def _make(self, table: RoutingTable | None) -> DescriptorBook:
        names = [] if table is None else list(table.snapshot.clusters)
        turn = asyncio.Semaphore(MAX_AT_ONCE)

        async def ask(name: str) -> bytes | str:
            async with turn:
                return await self._ask(table, name)

        answers = await asyncio.gather(*(ask(name) for name in names))
        sources = (
            {POLICY: self._holder.document.descriptor_set} if self._holder.document.descriptor_set else {}
        )
        missing: dict[str, str] = {}
        for name, answer in zip(names, answers, strict=True):
            if isinstance(answer, bytes):
                sources[f"cluster {name}"] = answer
            else:
                missing[name] = answer
        return await asyncio.to_thread(DescriptorBook, sources, missing)

    async def _ask(self, table: RoutingTable | None, name: str) -> bytes | str:
        cluster = self._clusters.clusters.get(name)
        if table is None or cluster is None:
            return "it is no longer in the policy"
        reason = "it has no endpoints"
        try:
            secure = await asyncio.to_thread(
                secure_channel, table.snapshot.clusters[name].tls, self._worker.dialer.tls.folder
            )
            for endpoint in list(cluster.endpoints)[:MAX_TRIES]:
                try:
                    return await fetch_descriptors(endpoint.address, "", TIMEOUT_S, secure)
                except ReflectionFailed as failure:
                    reason = str(failure)
        except ReflectionFailed as failure:
            reason = str(failure)
        return reason

    def _tell(self, book: DescriptorBook) -> None:
        """Write what is wrong into the log, once for each change."""
        lines = [f"cluster {name} did not answer: {reason}" for name, reason in sorted(book.missing.items())]
        lines += book.conflicts
        lines += book.problems
        told = "\n".join(lines)
        if told != self._told:
            self._told = told
            for line in lines:
                log.warning("reflection: %s", line)


class _Reflection(LocalHandler):
    """One reflection stream: a question, its answer, the next question."""

    def __init__(self, source: ReflectionBook) -> None:
        self._source: ReflectionBook = source
        self._call: LocalCall | None = None
        self._question: reflection_pb2.ServerReflectionRequest | None = None
        self._over: bool = False

    def message(self, call: LocalCall, payload: bytes) -> None:
        """Answer now, or when the book is there."""
        self._call = call
        try:
            self._question = reflection_pb2.ServerReflectionRequest.FromString(payload)
        except DecodeError:
            call.finish(status.INTERNAL, "the request is no ServerReflectionRequest")
            return
        book = self._source.now()
        if book is None:
            self._source.ask(self)
        else:
            self.resume(book)

    def resume(self, book: DescriptorBook) -> None:
        """Answer the question that waits."""
        call, question = self._call, self._question
        if call is None or question is None or call.finished:
            return
        self._question = None
        call.send(answer(question, book, self._source.services(book)).SerializeToString())
        self._go_on(call)

    def drained(self, call: LocalCall) -> None:
        """Take the next question: the client has read the last answer."""
        self._go_on(call)

    def half_closed(self, call: LocalCall) -> None:
        """End once everything is answered; nothing waits when this is called."""
        call.finish(status.OK, "")

    def ended(self) -> None:
        """Stop waiting."""
        self._call = None
        self._source.forget(self)

    def _go_on(self, call: LocalCall) -> None:
        # Answers are large and questions small: who does not read is not answered.
        if self._question is None and not call.is_backed_up():
            call.next()


def reflect(source: ReflectionBook) -> LocalHandler:
    """Return the handler of a reflection stream."""
    return _Reflection(source)


def answer(
    question: reflection_pb2.ServerReflectionRequest, book: DescriptorBook, services: list[str]
) -> reflection_pb2.ServerReflectionResponse:
    """Return the answer of a book to a question; `services` are those that callers can reach."""
    reply = reflection_pb2.ServerReflectionResponse(valid_host=question.host, original_request=question)
    kind = question.WhichOneof("message_request")
    if kind == "list_services":
        for name in services:
            reply.list_services_response.service.add(name=name)
        return reply
    if kind == "all_extension_numbers_of_type":
        wanted = question.all_extension_numbers_of_type
        numbers = book.extension_numbers(wanted)
        if numbers is not None:
            reply.all_extension_numbers_response.base_type_name = wanted
            reply.all_extension_numbers_response.extension_number.extend(numbers)
            return reply
    elif kind is not None:
        wanted, files = _files(question, kind, book)
        if files:
            reply.file_descriptor_response.file_descriptor_proto.extend(files)
            return reply
    else:
        reply.error_response.error_code = status.INVALID_ARGUMENT
        reply.error_response.error_message = "the request asks for nothing"
        return reply
    reply.error_response.error_code = status.NOT_FOUND
    reply.error_response.error_message = f"no proxied service has {wanted}{_without(book)}"
    return reply


def _files(
    question: reflection_pb2.ServerReflectionRequest, kind: str, book: DescriptorBook
) -> tuple[str, list[bytes]]:
    if kind == "file_by_filename":
        return question.file_by_filename, book.by_name(question.file_by_filename)
    if kind == "file_containing_symbol":
        return question.file_containing_symbol, book.by_symbol(question.file_containing_symbol)
    extension = question.file_containing_extension
    return (
        f"extension {extension.extension_number} of {extension.containing_type}",
        book.by_extension(extension.containing_type, extension.extension_number),
    )


def _without(book: DescriptorBook) -> str:
    """Name the clusters whose services may be missing; why they are is for the operator, in the log."""
    if not book.missing:
        return ""
    return f"; the reflection of {', '.join(sorted(book.missing))} did not answer"
