"""The audit journal: what an entry says, what it never says, and how damage shows."""

from __future__ import annotations

import json
from dataclasses import replace

from seawall.v1 import admin_access_pb2, admin_events_pb2, admin_policies_pb2, event_pb2, policy_pb2
from seawall_control.api.caller import ServedCall, author, serving
from seawall_control.domain import audit
from seawall_control.domain.access import Caller, Role
from seawall_control.domain.records import Entry
from seawall_control.services.audit import REFUSALS_BURST, AuditLog
from seawall_control.store.memory import MemoryStore

ALICE = Caller("alice", "token", frozenset({Role.OPERATOR}), "10.0.0.1", credential="0123456789ab")


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def now_us(self) -> int:
        """Return microseconds."""
        return int(self.now * 1e6)

    def monotonic_s(self) -> float:
        """Return seconds."""
        return self.now


def test_a_record_comes_back() -> None:
    """What is written is what is read."""
    record = audit.record_of(
        ALICE,
        "/seawall.v1.PolicyService/ApplyPolicy",
        resource={"policy_set": "default"},
        request_id="r1",
        outcome="OK",
        result={"revision.revision": "4"},
    )
    assert audit.decoded(Entry("audit", 1, 5, audit.encoded(record), "")) == record


def test_damaged_entries_are_read_as_far_as_they_go() -> None:
    """A list of the journal must not fail for one entry."""
    for body in ("", "[]", "nonsense", '{"roles": 5, "resource": [], "suppressed": "x"}'):
        assert audit.decoded(Entry("audit", 1, 5, body, "")).outcome == ""


def test_only_names_are_kept_of_a_request() -> None:
    """Never a document, a message or a secret."""
    call = ServedCall(ALICE, "/m")
    document = policy_pb2.PolicyDocument(version="hidden-in-the-document")
    call.asked(
        admin_policies_pb2.ApplyPolicyRequest(
            document=document, policy_set="default", request_id="r1", message="why", author="mallory"
        )
    )
    assert call.resource == {"policy_set": "default"}
    assert call.request_id == "r1"
    revision = admin_policies_pb2.Revision(revision=7, hash="abc")
    call.answered(admin_policies_pb2.ApplyPolicyResponse(revision=revision, changed=True))
    assert call.result == {"revision.revision": "7", "revision.hash": "abc", "changed": "True"}


def test_a_new_token_is_named_and_its_secret_is_not() -> None:
    """The one answer that holds a secret."""
    call = ServedCall(ALICE, "/m")
    token = admin_access_pb2.Token(name="ci", id="0123")
    call.answered(admin_access_pb2.CreateTokenResponse(token=token, secret="sw_verysecret"))
    assert call.result == {"token.name": "ci", "token.id": "0123"}


def test_what_is_inside_a_request_names_it_too() -> None:
    """An update carries the thing itself; of many ids some are named."""
    call = ServedCall(ALICE, "/m")
    event = event_pb2.ErrorEvent(id="e1", message="private")
    call.asked(admin_events_pb2.UpdateEventRequest(event=event))
    assert call.resource == {"event.id": "e1"}
    call = ServedCall(ALICE, "/m")
    call.asked(admin_events_pb2.ResolveEventsRequest(ids=[str(n) for n in range(50)], validate_only=True))
    assert call.resource["ids"].endswith("19 and 30 more")
    assert call.dry_run


def test_secrets_and_lengths_in_names_are_cut() -> None:
    """A caller may put anything into a name."""
    record = audit.record_of(ALICE, "/m", resource={"reason": "password=hunter2 " + "x" * 5000}, outcome="OK")
    body = audit.encoded(record)
    assert "hunter2" not in body
    assert len(body) < 1500


def test_a_proven_caller_is_the_author() -> None:
    """What a request says of itself counts only when nobody proved anything."""
    assert author("bob@host") == "bob@host"
    with serving(ServedCall(ALICE, "/m")):
        assert author("bob@host") == "alice"
    local = Caller("local user root", "local", frozenset({Role.ADMIN}))
    with serving(ServedCall(local, "/m")):
        assert author("bob@host") == "bob@host"


async def written(count: int) -> tuple[AuditLog, MemoryStore]:
    """Return a journal with entries."""
    store = MemoryStore()
    log = AuditLog(store, Clock())
    for number in range(count):
        await log.write(audit.record_of(ALICE, f"/m{number}"))
    return log, store


async def test_a_whole_journal_is_intact() -> None:
    """Also over the pages that the walk reads it in."""
    for count in (0, 1, 500, 501):
        log, _ = await written(count)
        found = await log.verify()
        assert (found.entries, found.last, found.broken) == (count, count, None)
        assert len(found.head) == (64 if count else 0)


class Tampered(AuditLog):
    """A journal whose store gives other entries than were written."""

    def __init__(self, store: MemoryStore, **instead: Entry | None) -> None:
        super().__init__(_Lying(store, instead), Clock())  # type: ignore[arg-type]


class _Lying:
    def __init__(self, store: MemoryStore, instead: dict[str, Entry | None]) -> None:
        self._store = store
        self._instead = instead

    async def entries(self, topic: str, **how: object) -> list[Entry]:
        """Return what is written, with some replaced or left out."""
        found = []
        for entry in await self._store.entries(topic, **how):  # type: ignore[arg-type]
            other = self._instead.get(f"n{entry.number}", entry)
            if other is not None:
                found.append(other)
        return found


async def test_a_changed_entry_breaks_the_chain_where_it_stands() -> None:
    """Its text, its time, or its number; and one that is missing shows at the next."""
    _, store = await written(600)
    entries = {entry.number: entry for entry in await store.entries("audit", limit=1000)}
    changed = json.dumps({**json.loads(entries[300].body), "actor": "bob"})
    for number, instead, broken in (
        (300, replace(entries[300], body=changed), 300),
        (501, replace(entries[501], time_us=1), 501),
        (500, None, 501),
        (1, replace(entries[1], body="{}"), 1),
    ):
        found = await Tampered(store, **{f"n{number}": instead}).verify()
        assert found.broken is not None
        assert found.broken.number == broken
        assert found.entries == (broken - 1 if instead is not None else broken - 2)


async def test_refused_calls_are_written_down_at_a_bounded_rate() -> None:
    """A flood leaves a few entries, and the next one says how many were left out."""
    store, clock = MemoryStore(), Clock()
    log = AuditLog(store, clock)
    for _ in range(1000):
        await log.write_refusal(audit.record_of(None, "/m", outcome="UNAUTHENTICATED"))
    assert len(await store.entries("audit", limit=1000)) == REFUSALS_BURST
    clock.now += 60.0
    await log.write_refusal(audit.record_of(None, "/m", outcome="UNAUTHENTICATED"))
    newest = (await store.entries("audit", limit=1))[0]
    assert audit.decoded(newest).suppressed == 1000 - REFUSALS_BURST


async def test_an_entry_that_cannot_be_stored_is_counted() -> None:
    """The change it is about has been made, and its caller hears so."""

    class Full:
        async def commit(self, changes: object, *, at_us: int) -> None:
            raise OSError("no space")

    log = AuditLog(Full(), Clock())  # type: ignore[arg-type]
    await log.write(audit.record_of(ALICE, "/m"))
    assert (log.numbers.written, log.numbers.lost) == (0, 1)
