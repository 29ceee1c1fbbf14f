"""A change of a policy that Seawall thinks of, where policies take two people: from what is measured, through
the approval of a person, to the revision at real proxies, and back when it did not help.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seawall.client import AsyncSeawall, Credentials, Denied, NotPossibleNow
from seawall.v1 import admin_analysis_pb2, admin_healing_pb2, admin_policies_pb2, admin_proposals_pb2
from seawall_control.access import AccessSettings
from seawall_control.domain.healing.actions import Action
from seawall_control.domain.healing.engine import Case, State
from seawall_control.domain.healing.runbooks import Mode
from seawall_control.server import ControlPlane, ControlSettings
from seawall_control.services.inheritance import document_of
from seawall_control.store.sqlite import open_store
from tests.integration.system.test_tuning import (
    TUNE,
    Later,
    cases,
    document,
    ended,
    load,
    proxies,
    until,
    upstream,
)
from tests.kit.processes import PATIENCE_S, free_port
from tests.kit.stand import Stand

pytestmark = pytest.mark.integration

BOOK = replace(TUNE, mode=Mode.AUTO)
"""Would act by itself; where policies take two people it asks."""


class Desk:
    """People with tokens, in front of a control plane."""

    def __init__(self, target: str, stack: AsyncExitStack) -> None:
        self.target = target
        self._stack = stack
        self._secrets: dict[str, str] = {}

    async def hire(self, name: str, *roles: str, owner: str = "") -> None:
        """Give somebody a token."""
        local = await self._stack.enter_async_context(AsyncSeawall(self.target))
        made = await local.access.create_token(name, roles, owner=owner or name)
        self._secrets[name] = made.secret

    async def of(self, name: str) -> AsyncSeawall:
        """Return the client of somebody."""
        credentials = Credentials(token=self._secrets[name])
        return await self._stack.enter_async_context(AsyncSeawall(self.target, credentials=credentials))

    async def ask(self, name: str, method: str, request: Any, answer: Any) -> Any:
        """Send somebody's call."""
        return await (await self.of(name)).call(f"/seawall.v1.{method}", request, answer)

    async def approve(self, name: str, case: str) -> Any:
        """Approve a case as somebody."""
        pb = admin_healing_pb2
        request = pb.ApproveHealingCaseRequest(id=case, actor="somebody else")
        method = "HealingService/ApproveHealingCase"
        return (await self.ask(name, method, request, pb.ApproveHealingCaseResponse)).case

    async def run(self, name: str) -> Any:
        """Ask for the runbook as somebody."""
        pb = admin_healing_pb2
        request = pb.RunRunbookRequest(name="tune", subject="route/checkout")
        return (await self.ask(name, "HealingService/RunRunbook", request, pb.RunRunbookResponse)).case

    async def cases(self) -> list[admin_healing_pb2.HealingCase]:
        """Return every change of the cases of the runbook, newest first; built-in ones have theirs."""
        pb = admin_healing_pb2
        method, asked = "HealingService/ListHealingCases", pb.ListHealingCasesRequest(filter="runbook = tune")
        found = await self.ask("bob", method, asked, pb.ListHealingCasesResponse)
        return list(found.cases)

    async def publish(self, document: Any) -> None:
        """Change the policy as it takes two."""
        change = admin_policies_pb2.ApplyPolicyRequest(document=document)
        pb = admin_proposals_pb2
        asked = pb.ProposePolicyRequest(change=change)
        made = await self.ask("ann", "ProposalService/ProposePolicy", asked, pb.ProposePolicyResponse)
        given = pb.ApproveProposalRequest(id=made.proposal.id)
        await self.ask("bob", "ProposalService/ApproveProposal", given, pb.ApproveProposalResponse)


async def staffed(target: str, stack: AsyncExitStack) -> Desk:
    """Return a desk with two people, one of whom has two tokens."""
    desk = Desk(target, stack)
    for name, owner in (("ann", ""), ("bob", ""), ("ann-ci", "ann")):
        await desk.hire(name, "operator", "editor", owner=owner)
    return desk


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    """Give a stand."""
    made = Stand(tmp_path)
    yield made
    await asyncio.to_thread(made.close)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Hold what ends with the test."""
    async with AsyncExitStack() as found:
        yield found


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    """Run a control plane in this process in which policies take two people."""
    settings = ControlSettings(
        data_dir=tmp_path / "control",
        grpc_address="127.0.0.1:0",
        http_address="127.0.0.1:0",
        grace_s=1.0,
        access=AccessSettings(two_person=True),
    )
    store = await open_store(settings.data_dir)
    control = ControlPlane(settings, store)
    await control.start()
    # The record counts by whole minutes.
    control.analysis.recommender._clock = Later()
    yield control
    await control.stop()
    await store.aclose()


def mine(plane: ControlPlane) -> list[Case]:
    """Return the open cases of tuning; built-in runbooks may have others."""
    return [case for case in plane.healing.open_cases if case.runbook.action is Action.TUNE]


async def proposed(plane: ControlPlane) -> str:
    """Let healing look until it proposes; return the case."""
    await plane.healing.books.put(BOOK)

    async def there() -> bool:
        plane.healing._observe.__self__._tuned_s = float("-inf")  # type: ignore[attr-defined]
        await plane.healing.look()
        return bool(mine(plane))

    await until(there, "something is proposed")
    (case,) = mine(plane)
    assert (case.state, case.actor, case.asked_by) == (State.PROPOSED, "", "")
    assert case.plan.startswith("would try on 50% of the proxies for 1 s, then on all: Retry UNAVAILABLE")
    return case.id


async def failing(stand: Stand, plane: ControlPlane, stack: AsyncExitStack, *, always: bool) -> Desk:
    """Start an upstream that fails, and proxies with calls in front of it; return who works there."""
    server, address = await upstream(always=always)
    stack.push_async_callback(server.stop, 0)
    desk = await staffed(plane.addresses.grpc, stack)
    await desk.publish(document(address))
    seen = await stack.enter_async_context(load(await proxies(stand, plane, "one", "two")))
    await until(lambda: seen.get("UNAVAILABLE", 0) > 150, "many calls fail")
    return desk


@pytest.mark.slow
async def test_what_a_person_approves_is_tried_and_kept(
    plane: ControlPlane, stand: Stand, stack: AsyncExitStack
) -> None:
    """The approver is who calls, whatever the request says of it; nobody may without a role."""
    desk = await failing(stand, plane, stack, always=False)
    await desk.hire("carl", "viewer", "editor")
    case = await proposed(plane)
    with pytest.raises(Denied, match="takes the role operator"):
        await desk.approve("carl", case)
    assert (await plane.policies.revision()).revision == 1
    done = await desk.approve("bob", case)
    assert (done.state, done.actor) == ("running", "bob")
    with pytest.raises(NotPossibleNow, match="it waits for no answer"):
        await desk.approve("ann", case)
    end = await ended(plane, State.HELPED)
    assert (end.id, end.actor) == (case, "bob")
    newest = await plane.policies.revision()
    assert (newest.revision, newest.author) == (2, "seawall-healing")
    assert newest.message.startswith(f"{case}, approved by bob: Retry UNAVAILABLE")
    entries = [entry.body for entry in await plane.access.audit.page(before=0, limit=50)]
    assert any('"actor":"bob"' in body and "ApproveHealingCase" in body for body in entries)


@pytest.mark.slow
async def test_who_asks_for_it_does_not_approve_it(
    plane: ControlPlane, stand: Stand, stack: AsyncExitStack
) -> None:
    """One person could change a policy alone by running the runbook by hand."""
    desk = await failing(stand, plane, stack, always=False)
    await plane.healing.books.put(replace(BOOK, mode=Mode.OFF))
    case = await desk.run("ann")
    assert (case.state, case.asked_by) == ("proposed", "ann")
    assert "Retry UNAVAILABLE" in case.plan
    for name in ("ann", "ann-ci"):
        with pytest.raises(Denied, match="ann has asked for"):
            await desk.approve(name, case.id)
    assert (await plane.policies.revision()).revision == 1
    await desk.approve("bob", case.id)
    await ended(plane, State.HELPED)
    message = (await plane.policies.revision()).message
    assert message.startswith(f"{case.id}, asked for by ann, approved by bob: ")


@pytest.mark.slow
async def test_what_is_denied_or_late_changes_nothing(
    plane: ControlPlane, stand: Stand, stack: AsyncExitStack
) -> None:
    """And it is proposed again only after the rest of the runbook."""
    desk = await failing(stand, plane, stack, always=False)
    case = await proposed(plane)
    pb = admin_healing_pb2
    no = pb.RejectHealingCaseRequest(id=case, reason="not today")
    await desk.ask("bob", "HealingService/RejectHealingCase", no, pb.RejectHealingCaseResponse)
    await plane.healing.look()
    assert not mine(plane)
    with pytest.raises(NotPossibleNow, match="is rejected"):
        await desk.approve("ann", case)
    await plane.healing.books.put(replace(BOOK, name="late", approval_ttl_s=60.0))
    await plane.healing.look()
    (waiting,) = mine(plane)
    # Two minutes on, and nobody has looked in between.
    plane.healing._clock = Later()
    with pytest.raises(NotPossibleNow, match="is expired"):
        await desk.approve("ann", waiting.id)
    last = next(one for one in await cases(plane) if one.id == waiting.id)
    assert (last.state, last.outcome) == (State.EXPIRED, "nobody answered in time")
    assert (await plane.policies.revision()).revision == 1


@pytest.mark.slow
async def test_what_is_proposed_stands_on_one_revision(
    plane: ControlPlane, stand: Stand, stack: AsyncExitStack
) -> None:
    """Somebody else has changed the policy meanwhile: it is looked at once more; when that has done it
    already, there is nothing left to be approved.
    """
    desk = await failing(stand, plane, stack, always=False)
    case = await proposed(plane)
    changed = document_of(await plane.policies.revision())
    changed.policies["plain"].timeout.seconds = 3
    await desk.publish(changed)
    with pytest.raises(NotPossibleNow, match="is another change by now"):
        await desk.approve("bob", case)
    newest = await plane.policies.revision()
    assert (newest.revision, newest.author) == (2, "ann")
    changed.policies["plain"].retry.max_attempts = 2
    changed.policies["plain"].retry.codes.append("UNAVAILABLE")
    await desk.publish(changed)
    with pytest.raises(NotPossibleNow, match="has ended: no recommendation"):
        await desk.approve("bob", case)
    assert not mine(plane)
    assert (await plane.policies.revision()).revision == 3
    assert next(one for one in await cases(plane) if one.id == case).state is State.EXPIRED


@pytest.mark.slow
async def test_a_control_plane_that_is_killed_twice(stand: Stand, stack: AsyncExitStack) -> None:
    """Between the proposal and its approval, and again when the revision is on its way: the approval counts,
    the rollout ends, it is judged, and what did not help is taken back at the proxies.
    """
    server, address = await upstream(always=True)
    stack.push_async_callback(server.stop, 0)
    where = f"127.0.0.1:{free_port()}"

    async def start() -> Any:
        return await asyncio.to_thread(stand.control, "--two-person", grpc=where)

    control = await start()
    desk = await staffed(where, stack)
    await desk.publish(document(address))
    found = []
    for node in ("one", "two"):
        config = stand.policy({"control": {"target": where, "node": node}}, name=f"{node}.yaml")
        found.append(await asyncio.to_thread(stand.proxy, config, data=node))

    async def revisions() -> list[int]:
        return [int((await asyncio.to_thread(proxy.status))["policy"]["revision"]) for proxy in found]

    async def everywhere(number: int) -> bool:
        return await revisions() == [number, number]

    await until(lambda: everywhere(1), "the proxies have the policy")
    await stack.enter_async_context(load(found))
    pb = admin_analysis_pb2

    async def recommended() -> bool:
        method, asked = "AnalysisService/ListRecommendations", pb.ListRecommendationsRequest()
        answer = await desk.ask("bob", method, asked, pb.ListRecommendationsResponse)
        return any(one.kind == "retry" for one in answer.recommendations)

    # When the minute is over; what is not looked for is looked for at once when it is wanted.
    await until(recommended, "it is known what would help", 3 * PATIENCE_S)
    book = admin_healing_pb2.Runbook(
        name="tune",
        condition="tunable",
        threshold=0.02,
        action="tune",
        mode=admin_healing_pb2.RUNBOOK_MODE_AUTO,
    )
    book.lasting.FromNanoseconds(0)
    book.verify_after.FromSeconds(10)
    book.parameters.update({"kinds": "retry", "first_share": 0.5, "bake_s": 1.0})
    method, wanted = "HealingService/SetRunbook", admin_healing_pb2.SetRunbookRequest(runbook=book)
    await desk.ask("ann", method, wanted, admin_healing_pb2.SetRunbookResponse)

    async def is_(state: str) -> bool:
        changes = await desk.cases()
        return any(one.state == state for one in changes)

    await until(lambda: is_("proposed"), "it is proposed")
    (case,) = {one.id for one in await desk.cases()}
    control.child.kill()
    control = await start()

    async def approved() -> bool:
        try:
            await desk.approve("bob", case)
        except NotPossibleNow as error:
            if error.reason != "NOT_KNOWN_YET":
                raise
            return False  # the statistics of calls begin anew
        return True

    await until(approved, "it is approved")

    async def made() -> bool:
        newest = await (await desk.of("bob")).policies.revision()
        return newest.revision >= 2

    await until(made, "the revision is made")
    control.child.kill()
    control = await start()
    await until(lambda: is_("not_helped"), "it is judged", 3 * PATIENCE_S)
    await until(lambda: everywhere(3), "the proxies have what was before")
    newest = await (await desk.of("bob")).policies.revision()
    assert (newest.revision, newest.rollback_of, newest.author) == (3, 1, "seawall-healing")

    async def said() -> bool:
        return "taken back: back to the content of revision 1" in (await desk.cases())[0].outcome

    await until(said, "the case says so")
    told = [one for one in await desk.cases() if one.id == case]
    assert {one.actor for one in told if one.state != "proposed"} == {"bob"}
    second = await (await desk.of("bob")).policies.revision(2)
    assert second.message.startswith(f"{case}, approved by bob: Retry UNAVAILABLE")
