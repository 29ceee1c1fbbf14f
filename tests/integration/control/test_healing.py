"""Healing on a whole control plane: what runbooks do is done, judged, taken back and recorded."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from seawall.client.aio import AsyncSeawall
from seawall.errors import SeawallError
from seawall.v1 import admin_events_pb2
from seawall.v1 import admin_healing_pb2 as pb
from seawall_control.domain.events import MICROS
from seawall_control.domain.healing.actions import Action
from seawall_control.domain.healing.codec import case_of
from seawall_control.domain.healing.conditions import Condition
from seawall_control.domain.healing.engine import State
from seawall_control.domain.healing.runbooks import BUILT_IN, Mode, Runbook
from seawall_control.domain.records import Put
from seawall_control.server import ControlPlane, ControlSettings
from seawall_control.services.healing.journal import TOPIC
from seawall_control.store.sqlite import open_store
from tests.integration.control.kit import Later, Stubs, document, event
from tests.kit.processes import PATIENCE_S
from tests.kit.stand import Stand

pytestmark = pytest.mark.integration

ALWAYS = Runbook(
    name="always",
    condition=Condition.BACKLOG,
    threshold=0.0,
    action=Action.ROLL_BACK_POLICY,
    lasting_s=0.0,
    mode=Mode.AUTO,
    verify_after_s=1.0,
)
JUDGED_LATER = replace(ALWAYS, verify_after_s=600.0)


async def states(plane: ControlPlane, wanted: State) -> list[str]:
    """Wait until the newest case has come into a state; return what was said up to then, newest first."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            cases = [case_of(entry.body) for entry in await plane.store.entries(TOPIC)]
            newest = cases[0].id if cases else ""
            found = next((n for n, one in enumerate(cases) if one.id == newest and one.state is wanted), None)
            if found is not None:
                return [case.outcome for case in cases[found:]]
            await plane.healing.look()
            await asyncio.sleep(0.05)


async def last_outcome(plane: ControlPlane, words: str) -> None:
    """Wait until a change of the newest case says these words."""

    async def said() -> bool:
        cases = (await plane.healing.journal.page()).cases
        return any(words in case.outcome for case in cases if case.id == cases[0].id)

    async with asyncio.timeout(PATIENCE_S):
        while not await said():  # noqa: ASYNC110 - another task writes the record
            await asyncio.sleep(0.02)


def damage(path: Path) -> None:
    """Overwrite the beginning of the third page of a file."""
    raw = bytearray(path.read_bytes())
    raw[4096 * 2 : 4096 * 2 + 64] = b"\xff" * 64
    path.write_bytes(raw)


async def test_a_policy_that_is_blamed_is_taken_back_and_brought_back(
    plane: ControlPlane, stubs: Stubs
) -> None:
    """The condition holds on, so going back did not help, and the newer policy is the newest again."""
    clock = plane.healing._clock = Later()
    for timeout_s in (1, 2):
        await plane.policies.apply(document(timeout_s), message=f"{timeout_s} s")
    await plane.healing.books.put(JUDGED_LATER)
    await plane.healing.look()
    await states(plane, State.VERIFYING)
    newest = await plane.policies.revision()
    assert (newest.revision, newest.rollback_of, newest.author) == (3, 1, "seawall-healing")
    clock.by_us = 601 * MICROS
    await states(plane, State.NOT_HELPED)
    await last_outcome(plane, "taken back: back to the content of revision 2 as revision 4")
    newest = await plane.policies.revision()
    assert (newest.revision, newest.rollback_of) == (4, 2)
    assert plane.healing.effect() == {("roll_back_policy", "not_helped"): 1}


async def test_what_an_operator_has_applied_since_stays(plane: ControlPlane, stubs: Stubs) -> None:
    """Taking back what did not help brought the blamed revision back over the operator's."""
    clock = plane.healing._clock = Later()
    for timeout_s in (1, 2):
        await plane.policies.apply(document(timeout_s))
    await plane.healing.books.put(JUDGED_LATER)
    await plane.healing.look()
    await states(plane, State.VERIFYING)
    await plane.policies.apply(document(3), author="bob")
    clock.by_us = 601 * MICROS
    await states(plane, State.NOT_HELPED)
    await last_outcome(plane, "could not be taken back: revision 4 of bob was applied since; it stays")
    assert (await plane.policies.revision()).author == "bob"


async def test_an_old_policy_is_not_blamed(plane: ControlPlane, stubs: Stubs) -> None:
    """Nor is one that is a way back already, nor the first one. Nothing failed, and nobody is asked."""
    await plane.policies.apply(document(1))
    await plane.healing.books.put(ALWAYS)
    await plane.healing.look()
    assert "nothing to do: there is only one revision" in (await states(plane, State.EXPIRED))[0]
    await plane.policies.apply(document(2))
    await plane.policies.rollback(policy_set="default")
    for mode in (Mode.AUTO, Mode.APPROVE):
        await plane.healing.books.put(replace(ALWAYS, name=f"back-{mode}", mode=mode))
        await plane.healing.look()
        assert "is a way back already" in (await states(plane, State.EXPIRED))[0]
    assert plane.healing.open_cases == ()
    found = await stubs.events.ListEvents(admin_events_pb2.ListEventsRequest(filter='component : "healing"'))
    assert list(found.events) == []


async def test_hooks(tmp_path: Path) -> None:
    """A hook gets the case in its environment; one that hangs is killed, and one that is not there is
    named.
    """
    said = tmp_path / "said"
    script = f"import os; open({str(said)!r}, 'w').write(os.environ['SEAWALL_SUBJECT']); print('done')"
    settings = ControlSettings(
        data_dir=tmp_path / "control",
        grpc_address="127.0.0.1:0",
        http_address="127.0.0.1:0",
        grace_s=1.0,
        hooks={
            "note": f'{sys.executable} -c "{script}"',
            "hang": f'{sys.executable} -c "import time; time.sleep(60)"',
        },
    )
    store = await open_store(settings.data_dir)
    plane = ControlPlane(settings, store)
    await plane.start()
    try:
        for hook, state, words in (
            ("note", State.VERIFYING, "note ended with 0: done"),
            ("hang", State.FAILED, "hang did not end within 0.3 s"),
            ("none", State.FAILED, "start the control plane with --hook none=COMMAND"),
        ):
            await plane.healing.books.put(
                Runbook(
                    name=hook,
                    condition=Condition.BACKLOG,
                    threshold=0.0,
                    action=Action.COMMAND,
                    parameters={"hook": hook, "timeout_s": PATIENCE_S if hook == "note" else 0.3},
                    lasting_s=0.0,
                    mode=Mode.AUTO,
                )
            )
            await plane.healing.look()
            assert words in (await states(plane, state))[0]
        assert said.read_text() == "store"
    finally:
        await plane.stop()
        await store.aclose()


async def test_a_breaker_is_held_open_on_every_proxy(
    plane: ControlPlane, stubs: Stubs, tmp_path: Path
) -> None:
    """And reset when that did not help."""
    stand = Stand(tmp_path)
    try:
        _, address = stand.upstream()
        config = stand.policy(
            {
                "clusters": [{"name": "shop", "endpoints": [address]}],
                "routes": [{"name": "all", "match": {}, "cluster": "shop", "policy": "builtin/standard"}],
                "control": {"target": plane.addresses.grpc, "node": "one"},
            }
        )
        proxy = await asyncio.to_thread(stand.proxy, config)
        async with grpc.aio.insecure_channel(proxy.address) as channel:
            call: Any = channel.unary_unary("/any.Service/Unary")
            async with asyncio.timeout(PATIENCE_S):
                while not plane.fleet.view.lately(60.0).get("all"):
                    await call(b"hello")
                    await asyncio.sleep(0.02)
            for _ in range(30):
                await call(b"hello")
        await plane.healing.books.put(
            Runbook(
                name="hold",
                condition=Condition.ERROR_RATE,
                threshold=0.0,
                subject="route/all",
                action=Action.HOLD_BREAKER_OPEN,
                lasting_s=0.0,
                mode=Mode.AUTO,
                verify_after_s=1.0,
            )
        )
        said = await states(plane, State.NOT_HELPED)
        assert any("held open for 300 s on 1 of 1 proxies" in text for text in said)
        await last_outcome(plane, "taken back: operation")
        await asyncio.to_thread(proxy.wait_for_breaker, "all", "closed")
    finally:
        await asyncio.to_thread(stand.close)


async def test_over_the_wire(plane: ControlPlane) -> None:
    """List, set, refuse, propose, approve, diagnose, count: as a client does it."""
    service = "/seawall.v1.HealingService"
    async with AsyncSeawall(plane.addresses.grpc) as seawall:
        listed = await seawall.call(
            f"{service}/ListRunbooks", pb.ListRunbooksRequest(), pb.ListRunbooksResponse
        )
        assert {r.name for r in listed.runbooks} == {b.name for b in BUILT_IN}
        assert all(r.built_in and r.etag == "0" for r in listed.runbooks)
        bad = pb.Runbook(name="x", condition="nothing", action="check_store")
        with pytest.raises(SeawallError, match="words that are not known"):
            await seawall.call(
                f"{service}/SetRunbook", pb.SetRunbookRequest(runbook=bad), pb.SetRunbookResponse
            )
        good = pb.Runbook(
            name="ask", condition="backlog", action="check_store", mode=pb.RUNBOOK_MODE_APPROVE, etag="0"
        )
        good.lasting.seconds = 0
        kept = await seawall.call(
            f"{service}/SetRunbook", pb.SetRunbookRequest(runbook=good), pb.SetRunbookResponse
        )
        assert (kept.runbook.etag, kept.runbook.built_in) == ("1", False)
        with pytest.raises(SeawallError, match="the runbook ask is at version 1, not 0: somebody changed it"):
            await seawall.call(
                f"{service}/SetRunbook", pb.SetRunbookRequest(runbook=good), pb.SetRunbookResponse
            )
        await plane.healing.look()
        open_ = pb.ListHealingCasesRequest(open=True)
        (case,) = (
            await seawall.call(f"{service}/ListHealingCases", open_, pb.ListHealingCasesResponse)
        ).cases
        assert (case.state, case.subject) == ("proposed", "store")
        approve = pb.ApproveHealingCaseRequest(id=case.id, actor="ann")
        done = await seawall.call(f"{service}/ApproveHealingCase", approve, pb.ApproveHealingCaseResponse)
        assert (done.case.state, done.case.actor) == ("running", "ann")
        assert "store is sound" in (await states(plane, State.VERIFYING))[0]
        with pytest.raises(SeawallError, match="waits for no answer"):
            await seawall.call(f"{service}/ApproveHealingCase", approve, pb.ApproveHealingCaseResponse)
        seen = await seawall.call(f"{service}/Diagnose", pb.DiagnoseRequest(), pb.DiagnoseResponse)
        disk = next(o for o in seen.observations if o.condition == "disk")
        assert [v.runbook for v in disk.verdicts] == ["disk-nearly-full"]
        stats = await seawall.call(
            f"{service}/GetHealingStats", pb.GetHealingStatsRequest(), pb.GetHealingStatsResponse
        )
        assert stats.open == 1
        assert not stats.HasField("effectiveness")
        await seawall.call(
            f"{service}/DeleteRunbook", pb.DeleteRunbookRequest(name="ask"), pb.DeleteRunbookResponse
        )
        with pytest.raises(SeawallError, match="mode off"):
            await seawall.call(
                f"{service}/DeleteRunbook",
                pb.DeleteRunbookRequest(name="disk-nearly-full"),
                pb.DeleteRunbookResponse,
            )


async def test_open_cases_survive_a_restart(tmp_path: Path) -> None:
    """What was proposed before the control plane ended can be approved after it has started again."""
    settings = ControlSettings(
        data_dir=tmp_path / "control", grpc_address="127.0.0.1:0", http_address="127.0.0.1:0", grace_s=1.0
    )
    book = Runbook(
        name="ask",
        condition=Condition.BACKLOG,
        threshold=0.0,
        action=Action.FREE_MEMORY,
        lasting_s=0.0,
        mode=Mode.APPROVE,
    )
    store = await open_store(settings.data_dir)
    plane = ControlPlane(settings, store)
    await plane.healing.load()
    await plane.healing.books.put(book)
    await plane.healing.look()
    (case,) = plane.healing.open_cases
    await plane.stop()
    await store.aclose()

    store = await open_store(settings.data_dir)
    plane = ControlPlane(settings, store)
    await plane.start()
    try:
        assert plane.healing.books.get("ask").runbook == book
        assert [c.id for c in plane.healing.open_cases] == [case.id]
        await plane.healing.approve(case.id, actor="ann")
        assert "MiB before" in (await states(plane, State.VERIFYING))[0]
        newer = json.loads((await store.entries(TOPIC))[0].body)
        assert newer["actor"] == "ann"
    finally:
        await plane.stop()
        await store.aclose()


async def test_a_damaged_store_is_found(tmp_path: Path) -> None:
    """The check runs beside the writer and names what is wrong. Nobody else looks at the file: a connection
    that is open when the store is closed leaves the log there, which has the page as it was.
    """
    store = await open_store(tmp_path / "control")
    assert list(await store.findings()) == []
    await store.commit([Put("kind", "name", "{}", expected=0)], at_us=1)
    path = Path((await store.report_state()).path)
    await store.aclose()
    await asyncio.to_thread(damage, path)
    assert list(await store.findings())


async def test_an_endpoint_is_drained_and_a_group_is_muted(
    plane: ControlPlane, stubs: Stubs, tmp_path: Path
) -> None:
    """Both are taken back when they did not help; what is no endpoint or no group is refused."""
    stand = Stand(tmp_path)
    try:
        _, first = stand.upstream("a")
        _, second = stand.upstream("b")
        config = stand.policy(
            {
                "clusters": [{"name": "shop", "endpoints": [first, second]}],
                "routes": [{"name": "all", "match": {}, "cluster": "shop", "policy": "builtin/standard"}],
                "control": {"target": plane.addresses.grpc, "node": "one"},
            }
        )
        await asyncio.to_thread(stand.proxy, config)
        await stubs.events.ReportEvents(admin_events_pb2.ReportEventsRequest(events=[event(1)]))
        subject = f"endpoint/shop/{first}"

        async def observed() -> bool:
            return any(d.observation.subject == subject for d in await plane.healing.diagnose())

        async with asyncio.timeout(PATIENCE_S):
            while not await observed():  # noqa: ASYNC110 - the proxy reports once a second
                await asyncio.sleep(0.1)
        drain = (Condition.ENDPOINT_EJECTED, subject, Action.DRAIN_ENDPOINT)
        mute = (Condition.GROUP_EVENTS, "group/*", Action.ARCHIVE_GROUP)
        for name, (condition, wanted, action), done, undone in (
            ("drain", drain, "drained for 300 s", "operation"),
            ("mute", mute, "muted until", "is open again"),
        ):
            await plane.healing.books.put(
                Runbook(
                    name=name,
                    condition=condition,
                    threshold=0.0,
                    subject=wanted,
                    action=action,
                    lasting_s=0.0,
                    mode=Mode.AUTO,
                    verify_after_s=1.0,
                    max_per_hour=1,
                )
            )
            await plane.healing.look()
            await last_outcome(plane, done)
            await states(plane, State.NOT_HELPED)
            await last_outcome(plane, undone)
        assert plane.healing.open_cases == ()
        await asyncio.to_thread(stand.children[1].process.kill)

        async def alone() -> bool:
            report = plane.fleet.stats.report_of("one")
            return any(s.address == second and s.state == "backoff" for s in report.endpoints)

        async with asyncio.timeout(PATIENCE_S):
            while not await alone():  # noqa: ASYNC110 - the proxy reports once a second
                await asyncio.sleep(0.1)
        await plane.healing.books.put(
            Runbook(
                name="last",
                condition=Condition.ENDPOINT_EJECTED,
                threshold=0.0,
                subject=subject,
                action=Action.DRAIN_ENDPOINT,
                lasting_s=0.0,
                mode=Mode.AUTO,
            )
        )
        await plane.healing.look()
        assert "the last one is not drained" in (await states(plane, State.FAILED))[0]
        wrong = Runbook(
            name="wrong",
            condition=Condition.BACKLOG,
            threshold=0.0,
            action=Action.DRAIN_ENDPOINT,
            lasting_s=0.0,
            mode=Mode.AUTO,
        )
        await plane.healing.books.put(wrong)
        await plane.healing.look()
        await last_outcome(plane, "is for endpoints, not for store")
    finally:
        await asyncio.to_thread(stand.close)


async def test_another_system_is_asked(plane: ControlPlane) -> None:
    """Over a webhook channel; one that is not there, or is none, is named."""
    book = Runbook(
        name="ask",
        condition=Condition.BACKLOG,
        threshold=0.0,
        action=Action.WEBHOOK,
        parameters={"channel": "nobody"},
        lasting_s=0.0,
        mode=Mode.AUTO,
    )
    await plane.healing.books.put(book)
    await plane.healing.look()
    assert "there is no channel 'nobody'" in (await states(plane, State.FAILED))[0]
