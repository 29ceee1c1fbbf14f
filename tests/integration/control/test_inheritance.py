"""Policy sets that extend each other, over the wire: what proxies get, who follows, and what is refused."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import grpc
import pytest

from seawall.v1 import admin_policies_pb2 as pb
from seawall.v1 import admin_rollouts_pb2, policy_pb2
from seawall_control.server import ControlPlane
from seawall_proxy.config import load_text
from tests.integration.control.kit import Proxy, Stubs, until
from tests.integration.control.test_policies import details, info
from tests.integration.control.test_rollouts import plan

pytestmark = pytest.mark.integration

ORG = """
version: v1
clusters: [{{name: shop, endpoints: ["127.0.0.1:50051"]}}]
policies: {{standard: {{timeout: {timeout}s, breaker: {{min_calls: 7}}}}}}
"""
TEAM = """
version: v1
extends: org
policies: {{standard: {{timeout: {timeout}}}}}
routes: [{{name: all, cluster: shop, policy: standard}}]
"""
QUIET_TEAM = """
version: v1
extends: org
routes: [{name: all, cluster: shop, policy: standard}]
"""


def read(text: str) -> policy_pb2.PolicyDocument:
    """Return a document from YAML."""
    loaded = load_text(text)
    assert loaded.violations == ()
    return loaded.document


def org(timeout: int = 2) -> policy_pb2.PolicyDocument:
    """Return a base."""
    return read(ORG.format(timeout=timeout))


def team(timeout: str = "9s") -> policy_pb2.PolicyDocument:
    """Return a document that changes one setting of the base."""
    return read(TEAM.format(timeout=timeout))


async def apply(stubs: Stubs, policy_set: str, document: policy_pb2.PolicyDocument, **more: Any) -> Any:
    """Apply a document to a set."""
    return await stubs.policies.ApplyPolicy(
        pb.ApplyPolicyRequest(document=document, policy_set=policy_set, author="ann", **more)
    )


async def newest(stubs: Stubs, policy_set: str) -> Any:
    """Return the newest revision of a set."""
    return (await stubs.policies.GetRevision(pb.GetRevisionRequest(policy_set=policy_set))).revision


async def describe(stubs: Stubs, policy_set: str, **more: Any) -> Any:
    """Return what a set is made of."""
    return await stubs.policies.DescribePolicy(pb.DescribePolicyRequest(policy_set=policy_set, **more))


async def test_proxies_get_the_whole_and_the_revision_keeps_both(stubs: Stubs) -> None:
    """What is pushed needs no base; what was applied is read back as it was written."""
    await apply(stubs, "org", org())
    proxy = Proxy(stubs, "one", policy_set="team")
    await proxy.hello()
    await apply(stubs, "team", team())
    push = (await proxy.hear("policy")).policy
    standard = push.document.policies["standard"]
    assert (standard.timeout.seconds, standard.breaker.min_calls) == (9, 7)
    assert [cluster.name for cluster in push.document.clusters] == ["shop"]
    assert not push.document.extends
    made = await newest(stubs, "team")
    assert (made.base, made.base_revision, made.hash) == ("org", 1, push.hash)
    assert made.own_document == team()
    assert made.document == push.document
    base = await newest(stubs, "org")
    assert (base.base, base.HasField("own_document")) == ("", False)


async def test_a_change_of_the_base_reaches_those_who_extend_it(stubs: Stubs) -> None:
    """Each of them gets a revision in the same step, also through another; whoever says otherwise keeps what
    they say.
    """
    await apply(stubs, "org", org(2))
    await apply(stubs, "own", team("9s"))
    await apply(stubs, "quiet", read(QUIET_TEAM))
    await apply(stubs, "below", read("version: v1\nextends: quiet\npolicies: {more: {timeout: 3s}}"))
    proxy = Proxy(stubs, "one", policy_set="below")
    await proxy.hello()
    await proxy.ack((await proxy.hear("policy")).policy)
    would = await apply(stubs, "org", org(4), validate_only=True)
    answer = await apply(stubs, "org", org(4))
    for found in (would, answer):
        followers = {f.revision.policy_set: (f.revision.revision, list(f.targets)) for f in found.followers}
        assert followers == {"quiet": (2, []), "below": (2, ["one"])}
    assert (await newest(stubs, "own")).revision == 1
    quiet = await newest(stubs, "quiet")
    assert quiet.document.policies["standard"].timeout.seconds == 4
    assert (quiet.author, quiet.message, quiet.base_revision) == ("ann", "Follows revision 2 of org", 2)
    pushed = (await proxy.hear("policy")).policy
    assert (pushed.revision, pushed.document.policies["standard"].timeout.seconds) == (2, 4)
    # What did not change with it is not behind it either.
    assert not (await describe(stubs, "own")).behind


async def test_a_base_that_would_break_somebody_changes_nothing(stubs: Stubs) -> None:
    """Every mistake is named by its set and its place there."""
    await apply(stubs, "org", org())
    await apply(stubs, "team/a", team())
    await apply(stubs, "team/b", read(QUIET_TEAM))
    without = org(3)
    del without.policies["standard"]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await apply(stubs, "org", without)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert info(caught.value).reason == "POLICY_INVALID"
    assert "extends org: team/b;" in str(caught.value.details())
    assert "team/b: routes[0].policy" in str(details(caught.value))
    checked = await stubs.policies.ValidatePolicy(
        pb.ValidatePolicyRequest(document=without, policy_set="org")
    )
    assert [v.field for v in checked.violations if not v.warning] == ["team/b: routes[0].policy"]
    assert [(await newest(stubs, name)).revision for name in ("org", "team/a", "team/b")] == [1, 1, 1]


async def test_lines_have_an_end_and_no_circles(stubs: Stubs) -> None:
    """A set does not extend itself, not through others either, nor what is not there, nor too long a line."""
    await apply(stubs, "org", org())
    await apply(stubs, "team", team())
    circle = org()
    circle.extends = "team"
    with pytest.raises(grpc.aio.AioRpcError, match="org -> team -> org"):
        await apply(stubs, "org", circle)
    circle.extends = "org"
    with pytest.raises(grpc.aio.AioRpcError, match="org -> org"):
        await apply(stubs, "org", circle)
    missing = team()
    missing.extends = "gone"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await apply(stubs, "other", missing)
    assert "there is no policy set gone; apply it first" in str(details(caught.value))
    for number in range(1, 8):
        below = read(f"version: v1\nextends: {'org' if number == 1 else f's{number - 1}'}")
        await apply(stubs, f"s{number}", below)
    with pytest.raises(grpc.aio.AioRpcError, match="more than 8 policy sets"):
        await apply(stubs, "s8", read("version: v1\nextends: s7"))


async def test_every_setting_is_somebodys(stubs: Stubs) -> None:
    """A description names the revision that says so; of a document that is not applied yet as well."""
    await apply(stubs, "org", org())
    await apply(stubs, "team", team())
    found = await describe(stubs, "team")
    assert [(layer.policy_set, layer.revision) for layer in found.layers] == [("team", 1), ("org", 1)]
    said = {one.field: (json.loads(one.value), one.layer) for one in found.settings}
    assert said["policies.standard.timeout"] == ("9s", 0)
    assert said["policies.standard.breaker.min_calls"] == (7, 1)
    assert list((await describe(stubs, "org")).extended_by) == ["team"]
    would = await describe(stubs, "team", document=team("5s"))
    assert [(layer.policy_set, layer.revision) for layer in would.layers] == [("team", 0), ("org", 1)]
    difference = await stubs.policies.DiffPolicy(pb.DiffPolicyRequest(policy_set="team", document=team("5s")))
    assert [(c.field, c.before, c.after) for c in difference.changes] == [
        ("policies.standard.timeout", '"9s"', '"5s"')
    ]


async def test_back_brings_the_base_of_then_back_too(stubs: Stubs) -> None:
    """A set that is rolled back is behind its base until one of both is changed; a base that is rolled back
    takes the others along.
    """
    await apply(stubs, "org", org(2))
    await apply(stubs, "team", read(QUIET_TEAM))
    await apply(stubs, "org", org(4))
    await stubs.policies.RollbackPolicy(pb.RollbackPolicyRequest(policy_set="team"))
    back = await newest(stubs, "team")
    assert (back.revision, back.rollback_of, back.base_revision) == (3, 1, 1)
    assert back.document.policies["standard"].timeout.seconds == 2
    assert (await describe(stubs, "team")).behind
    answer = await stubs.policies.RollbackPolicy(pb.RollbackPolicyRequest(policy_set="org"))
    assert answer.revision.revision == 3
    assert not answer.followers, "the set has that content already"
    await apply(stubs, "org", org(5))
    assert (await newest(stubs, "team")).document.policies["standard"].timeout.seconds == 5
    answer = await stubs.policies.RollbackPolicy(pb.RollbackPolicyRequest(policy_set="org"))
    assert [f.revision.policy_set for f in answer.followers] == ["team"]
    assert not (await describe(stubs, "team")).behind


async def test_a_way_back_does_not_end_in_a_circle(stubs: Stubs) -> None:
    """What a set extended once may extend it today: its content comes back then, and stands alone."""
    await apply(stubs, "org", org(2))
    await apply(stubs, "team", read(QUIET_TEAM))
    whole = (await newest(stubs, "team")).document
    await apply(stubs, "team", whole)
    circle = org(4)
    circle.extends = "team"
    await apply(stubs, "org", circle)
    await stubs.policies.RollbackPolicy(pb.RollbackPolicyRequest(policy_set="team", revision=1))
    back = await newest(stubs, "team")
    assert (back.revision, back.rollback_of, back.base, back.document) == (2, 0, "", whole)
    changed = read(QUIET_TEAM.replace("extends: org", ORG.format(timeout=7)[13:]))
    await apply(stubs, "team", changed)
    await stubs.policies.RollbackPolicy(pb.RollbackPolicyRequest(policy_set="team", revision=1))
    back = await newest(stubs, "team")
    assert (back.revision, back.rollback_of, back.base, back.document) == (4, 1, "", whole)
    assert [layer.policy_set for layer in (await describe(stubs, "org")).layers] == ["org", "team"]


async def test_a_request_is_repeated_whatever_has_become_of_the_base(stubs: Stubs) -> None:
    """The same document with the same id is the same request, also when it comes to something else today."""
    key = "5b2c9a3e-1f4d-4c8b-9d6a-7e0f1a2b3c4d"
    await apply(stubs, "org", org(2))
    first = await apply(stubs, "team", read(QUIET_TEAM), request_id=key)
    await apply(stubs, "org", org(4))
    again = await apply(stubs, "team", read(QUIET_TEAM), request_id=key)
    assert (first.revision.revision, again.revision.revision) == (1, 1)
    with pytest.raises(grpc.aio.AioRpcError, match="another change"):
        await apply(stubs, "team", team(), request_id=key)


async def test_turning_to_a_base_is_a_change_of_its_own(stubs: Stubs) -> None:
    """Also when it comes to the same content; and turning away ends the following."""
    await apply(stubs, "org", org(2))
    whole = (await apply(stubs, "team", read(QUIET_TEAM), validate_only=True)).revision
    described = await describe(stubs, "team", document=read(QUIET_TEAM))
    assert (await apply(stubs, "team", described.document)).revision.hash == whole.hash
    answer = await apply(stubs, "team", read(QUIET_TEAM))
    assert (answer.changed, answer.revision.revision, answer.revision.hash) == (True, 2, whole.hash)
    assert len((await apply(stubs, "org", org(4))).followers) == 1
    await apply(stubs, "team", described.document)
    assert not (await apply(stubs, "org", org(5))).followers


async def test_a_base_goes_out_by_stages_at_everybody_who_extends_it(stubs: Stubs) -> None:
    """Each set that has proxies has a rollout of its own; when the base goes back, so do they."""
    await apply(stubs, "org", org(2))
    await apply(stubs, "team", read(QUIET_TEAM))
    proxies = [Proxy(stubs, f"p{n}", policy_set="team") for n in range(4)]
    for proxy in proxies:
        await proxy.hello()
        await proxy.ack((await proxy.hear("policy")).policy)
    answer = await apply(stubs, "org", org(4), rollout=plan(percent=25, bake_s=60))
    assert not answer.HasField("rollout"), "nobody follows it but through the team's set"
    (follower,) = answer.followers
    assert follower.rollout.state == admin_rollouts_pb2.STAGED_ROLLOUT_STATE_RUNNING
    assert len(follower.targets) == 1
    target = proxies[int(follower.targets[0][1:])]
    push = (await target.hear("policy")).policy
    assert (push.revision, push.document.policies["standard"].timeout.seconds) == (2, 4)
    await target.ack(push)
    with pytest.raises(grpc.aio.AioRpcError, match="of policy set team is being rolled out"):
        await apply(stubs, "org", org(5), supersede=False)
    back = await stubs.policies.RollbackPolicy(pb.RollbackPolicyRequest(policy_set="org"))
    assert [f.revision.revision for f in back.followers] == [3]
    push = (await target.hear("policy")).policy
    assert (push.revision, push.document.policies["standard"].timeout.seconds) == (3, 2)
    request = admin_rollouts_pb2.GetStagedRolloutRequest(policy_set="team")
    ended = (await stubs.rollouts.GetStagedRollout(request)).rollout
    assert (ended.state, ended.back_as) == (admin_rollouts_pb2.STAGED_ROLLOUT_STATE_ROLLED_BACK, 3)


async def test_undoing_a_bases_rollout_takes_the_others_along(stubs: Stubs) -> None:
    """Where the base has proxies of its own, its rollout is undone like any other."""
    await apply(stubs, "org", read(QUIET_TEAM.replace("extends: org", ORG.format(timeout=2)[13:])))
    await apply(stubs, "team", read("version: v1\nextends: org"))
    proxies = {name: Proxy(stubs, f"p-{name}", policy_set=name) for name in ("org", "team")}
    for proxy in proxies.values():
        await proxy.hello()
        await proxy.ack((await proxy.hear("policy")).policy)
    changed = read(QUIET_TEAM.replace("extends: org", ORG.format(timeout=4)[13:]))
    await apply(stubs, "org", changed, rollout=plan(percent=100, bake_s=60))
    for proxy in proxies.values():
        await proxy.ack((await proxy.hear("policy")).policy)
    await stubs.rollouts.UndoRollout(
        admin_rollouts_pb2.UndoRolloutRequest(policy_set="org", actor="ann", reason="no")
    )
    for name, proxy in proxies.items():
        push = (await proxy.hear("policy")).policy
        assert (push.revision, push.document.policies["standard"].timeout.seconds) == (3, 2)
        request = admin_rollouts_pb2.GetStagedRolloutRequest(policy_set=name)
        ended = (await stubs.rollouts.GetStagedRollout(request)).rollout
        assert (ended.state, ended.back_as) == (admin_rollouts_pb2.STAGED_ROLLOUT_STATE_ROLLED_BACK, 3)


async def test_a_follower_that_is_harmed_goes_back_alone(stubs: Stubs) -> None:
    """The base and the others keep the change; the one is behind."""
    await apply(stubs, "org", org(2))
    await apply(stubs, "team", read(QUIET_TEAM))
    await apply(stubs, "other", read(QUIET_TEAM))
    proxy = Proxy(stubs, "one", policy_set="team")
    await proxy.hello()
    await proxy.ack((await proxy.hear("policy")).policy)
    await apply(stubs, "org", org(4), rollout=plan(percent=100, bake_s=60))
    await proxy.nack((await proxy.hear("policy")).policy, "not this one")

    async def is_back() -> bool:
        return bool((await newest(stubs, "team")).rollback_of)

    await until(is_back, what="the team's set goes back")
    assert (await describe(stubs, "team")).behind
    assert [(await newest(stubs, name)).revision for name in ("org", "other")] == [2, 2]


async def test_changes_at_one_moment_leave_no_set_behind(stubs: Stubs, plane: ControlPlane) -> None:
    """Bases and those who extend them, changed by many at once: who extends has the newest of its base."""
    await apply(stubs, "org", org(1))
    names = [f"team{n}" for n in range(4)]
    work = [apply(stubs, "org", org(2 + n)) for n in range(5)]
    work += [apply(stubs, name, read(QUIET_TEAM)) for name in names]
    work += [apply(stubs, name, team(f"{n + 1}s")) for n, name in enumerate(names)]
    await asyncio.gather(*work)
    for name in names:
        assert not (await describe(stubs, name)).behind
        assert sorted(await plane.store.extending("org")) == names
