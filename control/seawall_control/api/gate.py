"""The one place that every call passes, over gRPC and over HTTP: who calls, may they, do they not call too
often, and what the audit says of it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from seawall_control.api.caller import ServedCall
from seawall_control.api.errors import outcome_of
from seawall_control.api.local_user import LocalUsers
from seawall_control.domain import access as rules
from seawall_control.domain.access import EVERY_ROLE, Caller, MethodAccess, Role
from seawall_control.domain.audit import record_of
from seawall_control.domain.buckets import Buckets
from seawall_control.domain.errors import (
    ControlError,
    PermissionDenied,
    RateLimited,
    StoreBusy,
    StoreUnavailable,
    Unauthenticated,
)
from seawall_control.domain.events import MICROS
from seawall_control.domain.scopes import check_method
from seawall_control.domain.tokens import API_PREFIX, ENROLMENT_PREFIX
from seawall_control.services.audit import AuditLog
from seawall_control.services.audit_witness import CallWitness
from seawall_control.services.background import Background
from seawall_control.services.edge import Clock
from seawall_control.services.requests import Requests
from seawall_control.services.tokens import TokenService

CALLS_PER_S: Final = 200.0
CALLS_BURST: Final = 1000
FAILURES_PER_S: Final = 1.0
FAILURES_BURST: Final = 20
MAX_KEYS: Final = 10_000
RECHECK_S: Final = 3.0
"""How often an open stream's credential is looked at again."""
MAX_CREDENTIAL_CHARS: Final = 256
CALL_ID_BYTES: Final = 8

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Presented:
    """What a call shows of its caller."""

    authorization: str = ""
    host: str = ""
    port: int = 0
    server_port: int = 0
    certificate: bytes = b""
    """PEM of the verified client certificate."""


class Credentials(Protocol):
    """Another kind of credential than API tokens."""

    async def authenticate(self, shown: str, address: str) -> Caller:
        """Return whose it is. Raise `Unauthenticated`."""
        ...

    async def still_valid(self, caller: Caller) -> bool:
        """Tell whether it was not taken back since; when it expires is known."""
        ...


@dataclass(slots=True)
class GateNumbers:
    """Counted since the start, for metrics."""

    unauthenticated: int = 0
    denied: int = 0
    rate_limited: int = 0
    callers: dict[str, int] = field(default_factory=dict)
    """Calls that were let in, by how the caller was known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy:
    """Who is let in without a credential."""

    local_user: bool = True
    """The user that runs the control plane, on loopback."""
    anybody: bool = False
    """Everybody: `--insecure`."""


class Gate:
    """Lets calls in."""

    def __init__(
        self,
        policy: GatePolicy,
        tokens: TokenService,
        audit: AuditLog,
        clock: Clock,
        background: Background,
        *,
        certificates: Credentials | None = None,
        enrolments: Credentials | None = None,
        users: LocalUsers | None = None,
        requests: Requests,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._background = background
        self.audit = audit
        self._tokens: Credentials = tokens
        self._certificates = certificates
        self._enrolments = enrolments
        self.users = users or LocalUsers()
        self.requests = requests
        self._calls = Buckets(per_second=CALLS_PER_S, burst=CALLS_BURST, capacity=MAX_KEYS)
        self._failures = Buckets(per_second=FAILURES_PER_S, burst=FAILURES_BURST, capacity=MAX_KEYS)
        self.numbers = GateNumbers()

    async def admit(self, method: str, access: MethodAccess | None, shown: Presented) -> ServedCall:
        """Return the call that may now be served.

        Raise `Unauthenticated`, `PermissionDenied` or `RateLimited`, and what the store raises when it cannot
        say who somebody is.
        """
        caller: Caller | None = None
        try:
            caller = await self.identify(shown)
            if not _is_a_stream_of_many(caller, access):
                self._count(caller)
            rules.authorise(caller, method, access)
            check_method(caller, method)
        except ControlError as error:
            await self._refused(error, caller, method, shown)
            raise
        self.numbers.callers[caller.kind] = self.numbers.callers.get(caller.kind, 0) + 1
        call = ServedCall(caller, method)
        if access is not None and access.changes:
            call.id = os.urandom(CALL_ID_BYTES).hex()
            call.witness = CallWitness(self.audit, call.record)
        return call

    async def identify(self, shown: Presented) -> Caller:
        """Return who calls. Raise `Unauthenticated`."""
        if shown.authorization:
            return await self._by_authorization(shown)
        if shown.certificate and self._certificates is not None:
            return await self._certificates.authenticate(
                shown.certificate.decode("ascii", "replace"), shown.host
            )
        if self._policy.local_user:
            user = await self.users.name_of(shown.host, shown.port, shown.server_port)
            if user is not None:
                return Caller(f"local user {user}", "local", EVERY_ROLE, shown.host)
        if self._policy.anybody:
            return Caller("anonymous", "anonymous", EVERY_ROLE, shown.host)
        raise rules.unknown_caller(local_only=self._policy.local_user)

    async def _by_authorization(self, shown: Presented) -> Caller:
        scheme, _, secret = shown.authorization.partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret or len(secret) > MAX_CREDENTIAL_CHARS:
            raise Unauthenticated("authorization must be `Bearer` and a token, such as `Bearer sw_...`")
        if secret.startswith(ENROLMENT_PREFIX) and self._enrolments is not None:
            return await self._enrolments.authenticate(secret, shown.host)
        if not secret.startswith(API_PREFIX):
            raise Unauthenticated("this is no token of Seawall's: they begin with sw_")
        return await self._tokens.authenticate(secret, shown.host)

    def _count(self, caller: Caller) -> None:
        key = f"{caller.kind}:{caller.credential or caller.address}"
        wait_s = self._calls.take(key, self._clock.monotonic_s())
        if wait_s > 0:
            raise RateLimited(
                f"{caller.name} makes more than {CALLS_PER_S:g} calls a second; wait, or ask for more "
                "at once (larger pages, a tail instead of a list)",
                wait_s,
            )

    async def _refused(
        self, error: ControlError, caller: Caller | None, method: str, shown: Presented
    ) -> None:
        from_address = shown.host or "unknown"
        if isinstance(error, RateLimited):
            self.numbers.rate_limited += 1
            return
        if isinstance(error, Unauthenticated):
            self.numbers.unauthenticated += 1
        elif isinstance(error, PermissionDenied):
            self.numbers.denied += 1
        else:
            return
        record = record_of(caller, method, address=from_address, outcome=error.reason, reason=error.reason)
        await self.audit.write_refusal(record)
        wait_s = self._failures.take(from_address, self._clock.monotonic_s())
        if wait_s > 0:
            self.numbers.rate_limited += 1
            # A good credential is never held up by this: only those that fail are counted.
            raise RateLimited(
                f"too many refused calls from {from_address}; the last one: {error}", wait_s
            ) from error

    async def finished(self, call: ServedCall, outcome: str, reason: str = "") -> None:
        """Close the record of a call, also while it is being cancelled. A change that is still carried out
        closes it itself, when it is known what came of it.
        """
        if call.witness is None:
            return
        if call.carried is not None and not call.carried.done():
            self._background.start(self._finished_later(call, call.carried), "seawall-audit")
            return
        writing = call.witness.close(outcome, reason, dry_run=call.dry_run)
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            self._background.start(writing, "seawall-audit")
            return
        await asyncio.shield(asyncio.get_running_loop().create_task(writing, name="seawall-audit"))

    async def _finished_later(self, call: ServedCall, carried: asyncio.Future[Any]) -> None:
        await asyncio.wait({carried})
        error = None if carried.cancelled() else carried.exception()
        outcome, reason = ("CANCELLED", "") if carried.cancelled() else outcome_of(error)
        if call.witness is not None:
            await call.witness.close(outcome, reason, dry_run=call.dry_run)

    async def carried_out(self, work: Coroutine[Any, Any, T], call: ServedCall | None = None) -> T:
        """Return what a change gives. It goes on to its end when its caller leaves, or has no time left: a
        change consists of several steps, and half of one (a revision that is stored and never handed out) is
        what nobody asked for. With `call`, the record of the call stays open until then.
        """
        box: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        async def carry() -> None:
            try:
                result = await work
            except asyncio.CancelledError:
                box.cancel()
                raise
            except BaseException as error:  # noqa: BLE001 - it is the caller's
                box.set_exception(error)
                box.exception()  # read, so that a caller who has gone leaves no warning
            else:
                box.set_result(result)

        # Without room beside the calls it is a part of its call, as it would be without all this.
        if not self._background.start(carry(), "seawall-change"):
            return await work
        if call is not None:
            call.carried = box
        return await asyncio.shield(box)

    async def while_valid(self, caller: Caller, work: Awaitable[T]) -> T:
        """Return what a long piece of work gives; end it when the caller's credential is no longer good.

        Raise `Unauthenticated` then. While the store cannot say what was revoked, the work goes on: whoever
        was let in stays, or every proxy would lose its stream with the store. What has expired is known.
        """
        checks = self._checks_of(caller)
        if checks is None:
            return await work
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=self._look_in_s(caller)))[0]:
                if caller.expires_us and self._clock.now_us() >= caller.expires_us:
                    raise Unauthenticated("the credential of this stream has expired")
                if not await _stands(checks, caller):
                    raise Unauthenticated("the credential of this stream was revoked")
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def _look_in_s(self, caller: Caller) -> float:
        """Return when to look at a credential again."""
        if not caller.expires_us:
            return RECHECK_S
        # A wall clock may be set, so a long time is not waited for at once.
        return max(0.0, min(RECHECK_S, (caller.expires_us - self._clock.now_us()) / MICROS))

    def _checks_of(self, caller: Caller) -> Credentials | None:
        found: Mapping[str, Credentials | None] = {
            "token": self._tokens,
            "certificate": self._certificates,
        }
        return found.get(caller.kind)


async def _stands(checks: Credentials, caller: Caller) -> bool:
    try:
        return await checks.still_valid(caller)
    except (StoreUnavailable, StoreBusy):
        return True


def _is_a_stream_of_many(caller: Caller, access: MethodAccess | None) -> bool:
    """Tell whether this is a proxy that shows no credential of its own: all those of an address would share
    one measure, and a fleet that comes back at once would hold itself up. Streams have bounds of their own.
    """
    return access is not None and access.role is Role.PROXY and caller.kind in {"local", "anonymous"}
