"""The policy in force, and how another one takes its place.

A document is compiled aside; only a snapshot without mistakes is put in force, in one assignment, so a call
sees one policy from its beginning to its end and a refused document changes nothing. Static fallbacks need
the descriptors of their methods: when the document brings none, the upstream's reflection is asked, and what
it said is kept on disk, so that a proxy that starts while its upstream is away still has its fallbacks.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy.compile import CompileResult, MissingDescriptor, codes, compile_document
from seawall_policy.compile.tls import cluster_tls
from seawall_policy.descriptors import DescriptorSource
from seawall_policy.model import Snapshot
from seawall_proxy.call.routing import build_table
from seawall_proxy.runtime.reflection import ReflectionFailed, fetch_descriptors, secure_channel
from seawall_proxy.runtime.upstream_edge import SystemResolver
from seawall_proxy.runtime.worker import Worker
from seawall_proxy.telemetry.counters import ProxyCounters, RouteCounters
from seawall_proxy.upstream.clusters import ClusterSet

log = logging.getLogger("seawall.policy")

FROM_NOWHERE: Final = "none"
FROM_FILE: Final = "file"
FROM_LAST_GOOD: Final = "last_good"
FROM_CONTROL_PLANE: Final = "live"

_REFLECTION_TIMEOUT_S: Final = 2.0
_REFLECTION_RETRY_S: Final = 5.0
_MAX_DESCRIPTOR_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document that was compiled and can be put in force."""

    document: policy_pb2.PolicyDocument
    result: CompileResult
    source: str
    began: float


class PolicyHolder:
    """Puts documents in force, one at a time."""

    def __init__(
        self,
        worker: Worker,
        clusters: ClusterSet,
        routes: dict[str, RouteCounters],
        counters: ProxyCounters,
        draw: Callable[[], float],
        descriptor_cache: Path | None,
    ) -> None:
        self.document: policy_pb2.PolicyDocument = policy_pb2.PolicyDocument()
        self.snapshot: Snapshot | None = None
        self.source: str = FROM_NOWHERE
        self.revision: int = 0
        self.digest: str = ""
        self.applied_at: float = 0.0
        """Monotonic seconds."""
        self.refused: list[str] = []
        """Why the last document that was offered was refused; empty when it was not."""
        self.on_installed: Callable[[], None] = _nothing
        """Called whenever another document has come into force."""
        self.pending: tuple[MissingDescriptor, ...] = ()
        """Static fallbacks that wait for descriptors."""
        self._worker: Worker = worker
        self._clusters: ClusterSet = clusters
        self._routes: dict[str, RouteCounters] = routes
        self._counters: ProxyCounters = counters
        self._draw: Callable[[], float] = draw
        self._cache: Path | None = descriptor_cache
        self._learned: DescriptorSource | None = _load(descriptor_cache)
        self._lock: asyncio.Lock = asyncio.Lock()

    async def apply(
        self, document: policy_pb2.PolicyDocument, *, revision: int, source: str, patient: bool
    ) -> list[str]:
        """Put a document in force; return why it was refused, or nothing.

        Static fallbacks whose descriptors cannot be had refuse the document, unless `patient`: then it takes
        effect without them, and `learn_pending` goes on asking.
        """
        async with self._lock:
            return await self._apply(document, revision, source, patient)

    async def prepare(
        self, document: policy_pb2.PolicyDocument, *, revision: int, source: str, patient: bool
    ) -> Prepared | list[str]:
        """Compile a document for `install`, or return why it is refused; nothing changes yet."""
        async with self._lock:
            return await self._prepare(document, revision, source, patient)

    async def install(self, prepared: Prepared) -> None:
        """Put a prepared document in force."""
        async with self._lock:
            self._put_in_force(prepared)

    async def _apply(
        self, document: policy_pb2.PolicyDocument, revision: int, source: str, patient: bool
    ) -> list[str]:
        prepared = await self._prepare(document, revision, source, patient)
        if isinstance(prepared, list):
            return prepared
        self._put_in_force(prepared)
        return []

    async def _prepare(
        self, document: policy_pb2.PolicyDocument, revision: int, source: str, patient: bool
    ) -> Prepared | list[str]:
        began = monotonic()
        result = await asyncio.to_thread(self._compile, document, revision)
        missing = result.missing
        if missing and result.snapshot is not None:
            asked = await self._learn(document, missing)
            result = await asyncio.to_thread(self._compile, document, revision)
            missing = result.missing
            if missing and not patient:
                return self._refuse(asked)
        if result.snapshot is None:
            return self._refuse(
                [_line(v.field, v.code, v.message) for v in result.violations if not v.warning]
            )
        protected = [(spec.name, spec.tls) for spec in result.snapshot.clusters.values() if spec.tls]
        if protected:
            unusable = await asyncio.to_thread(self._worker.dialer.tls.prepare, protected)
            if unusable:
                return self._refuse(unusable)
        await self._look_ahead(result.snapshot)
        return Prepared(document, result, source, began)

    async def _look_ahead(self, snapshot: Snapshot) -> None:
        """Look up the names of clusters that have none of their members yet."""
        resolver = self._clusters.resolver
        known = self._clusters.clusters
        wanted = [
            spec.dns
            for name, spec in snapshot.clusters.items()
            if spec.dns is not None and (name not in known or not known[name].endpoints)
        ]
        if wanted and isinstance(resolver, SystemResolver):
            await resolver.look_ahead(wanted)

    def _put_in_force(self, prepared: Prepared) -> None:
        result = prepared.result
        assert result.snapshot is not None
        self._install(prepared.document, result.snapshot, prepared.source)
        for violation in result.violations:
            if violation.code == codes.STATIC_PARTIAL:  # only who has asked for the descriptors can know
                log.warning("%s", _line(violation.field, violation.code, violation.message))
        self.pending = result.missing
        self.refused = []
        self._counters.policy_applied += 1
        self._counters.policy_apply_s = monotonic() - prepared.began

    def _compile(self, document: policy_pb2.PolicyDocument, revision: int) -> CompileResult:
        return compile_document(document, revision=revision, descriptors=self._learned)

    def _refuse(self, reasons: list[str]) -> list[str]:
        self.refused = reasons
        self._counters.policy_refused += 1
        return reasons

    def _install(self, document: policy_pb2.PolicyDocument, snapshot: Snapshot, source: str) -> None:
        worker = self._worker
        now = worker.tell_time()
        context = worker.context
        clusters = self._clusters.prepare(snapshot.clusters)
        table = build_table(
            snapshot, dict(clusters), context.table, self._routes, self._draw, now, time() - monotonic()
        )
        self._clusters.adopt(clusters)
        worker.dialer.tls.keep(spec.tls for spec in snapshot.clusters.values() if spec.tls is not None)
        context.table = table
        self.document = document
        self.snapshot = snapshot
        self.source = source
        self.revision = snapshot.revision
        self.digest = snapshot.digest
        self.applied_at = now
        self.on_installed()
        self._clusters.warm()
        worker.breaker_clock.rearm()
        worker.after_batch()

    # descriptors

    async def learn_pending(self) -> None:
        """Go on asking for the descriptors that static fallbacks wait for; runs until cancelled."""
        while True:
            await asyncio.sleep(_REFLECTION_RETRY_S)
            try:
                await self._learn_pending()
            except Exception:
                log.exception("asking for descriptors failed; it is tried again")

    async def _learn_pending(self) -> None:
        # Which document is in force is asked with the turn in hand: another one may be on its way in.
        async with self._lock:
            if not self.pending:
                return
            await self._apply(self.document, self.revision, self.source, True)
            if not self.pending:
                log.info("static fallbacks are ready: the upstream's reflection has answered")

    async def _learn(
        self, document: policy_pb2.PolicyDocument, missing: tuple[MissingDescriptor, ...]
    ) -> list[str]:
        """Ask the upstreams; return what went wrong, one line for each route that is still without."""
        wanted: dict[tuple[str, str], str] = {}
        for item in missing:
            wanted.setdefault((item.cluster, item.service), item.route)
        answers = await asyncio.gather(
            *(self._ask(document, cluster, service) for cluster, service in wanted)
        )
        sets = [answer for answer in answers if isinstance(answer, bytes)]
        if sets:
            self._learned = await asyncio.to_thread(_merge, self._learned, sets, self._cache)
        reasons = []
        for (cluster, service), answer in zip(wanted, answers, strict=True):
            if isinstance(answer, str):
                route = wanted[cluster, service]
                reasons.append(
                    f"routes[{route}]: the static fallback needs the descriptors of "
                    f"{service or 'its methods'}, and the reflection of cluster {cluster} did not give "
                    f"them ({answer}); add them with descriptor_files"
                )
        return reasons

    async def _ask(self, document: policy_pb2.PolicyDocument, cluster: str, service: str) -> bytes | str:
        reason = "no endpoints"
        for spec in document.clusters:
            if spec.name != cluster:
                continue
            for address in [endpoint.address for endpoint in spec.endpoints] or [spec.target]:
                try:
                    secure = await asyncio.to_thread(
                        secure_channel, cluster_tls(spec), self._worker.dialer.tls.folder
                    )
                    return await fetch_descriptors(address, service, _REFLECTION_TIMEOUT_S, secure)
                except ReflectionFailed as failure:
                    reason = str(failure)
        return reason


def _nothing() -> None:
    """Nobody wants to know."""


def _line(field: str, code: str, message: str) -> str:
    return f"{field}: {code} {message}" if field else f"{code} {message}"


def _load(path: Path | None) -> DescriptorSource | None:
    if path is None:
        return None
    try:
        if path.stat().st_size > _MAX_DESCRIPTOR_BYTES:
            return None
        source = DescriptorSource([path.read_bytes()])
    except OSError:
        return None
    # A damaged cache is only a cache: the upstream is asked again.
    return None if source.problems else source


def _merge(known: DescriptorSource | None, sets: list[bytes], cache: Path | None) -> DescriptorSource:
    merged = DescriptorSource([*([] if known is None else [known.file_descriptor_set()]), *sets])
    _save(cache, merged)
    return merged


def _save(path: Path | None, source: DescriptorSource) -> None:
    if path is None:
        return
    # Several workers of one proxy share the file.
    temporary = path.with_suffix(f".{os.getpid()}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.write_bytes(source.file_descriptor_set())
        temporary.replace(path)
    except OSError as error:
        log.warning("cannot keep descriptors in %s: %s", path, error)
