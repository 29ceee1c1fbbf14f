"""Proxies that come with revisions which the store does not know."""

from __future__ import annotations

from typing import Any

from seawall.v1 import admin_policies_pb2 as policies_pb
from seawall.v1 import fleet_pb2
from tests.integration.control.kit import Proxy, Stubs, document, until


async def applied(stubs: Stubs, timeout_s: int, policy_set: str = "") -> int:
    """Apply a document; return its revision."""
    request = policies_pb.ApplyPolicyRequest(document=document(timeout_s), policy_set=policy_set)
    return int((await stubs.policies.ApplyPolicy(request)).revision.revision)


def ahead(stubs: Stubs, node: str, revision: int, **more: Any) -> Proxy:
    """Return a proxy that has a revision in effect."""
    said = {"applied_revision": revision, "applied_hash": "f" * 64, "policy_source": "live", **more}
    return Proxy(stubs, node, **said)


async def test_a_proxy_that_is_ahead_gets_the_content_under_a_higher_number(stubs: Stubs) -> None:
    """And so does everybody else, once; one that is further ahead moves it on again."""
    assert await applied(stubs, 1) == 1
    plain = Proxy(stubs, "plain")
    await plain.hello()
    first: fleet_pb2.PolicyPush = (await plain.hear("policy")).policy
    await plain.ack(first)
    proxy = ahead(stubs, "ahead", 9)
    await proxy.hello()
    push = (await proxy.hear("policy")).policy
    assert (push.revision, push.hash) == (10, first.hash)
    await proxy.ack(push)
    again = (await plain.hear("policy")).policy
    assert (again.revision, again.hash) == (10, first.hash)
    further = ahead(stubs, "further", 12)
    await further.hello()
    assert (await further.hear("policy")).policy.revision == 13
    assert await applied(stubs, 2) == 14


async def test_what_cannot_be_is_not_believed(stubs: Stubs) -> None:
    """A number far beyond all that was published moves nothing: that proxy gets what there is."""
    assert await applied(stubs, 1) == 1
    proxy = ahead(stubs, "liar", 2**60)
    await proxy.hello()
    assert (await proxy.hear("policy")).policy.revision == 1
    assert await applied(stubs, 2) == 2


async def test_numbers_of_another_set_say_nothing(stubs: Stubs) -> None:
    """A proxy that moves to another set has a number of the old one in effect."""
    for timeout in (1, 2, 3):
        await applied(stubs, timeout)
    assert await applied(stubs, 9, "other") == 1
    proxy = Proxy(stubs, "mover")
    await proxy.hello()
    push = (await proxy.hear("policy")).policy
    assert push.revision == 3
    await proxy.ack(push)
    moved = ahead(stubs, "mover", 3, boot_id="2", applied_hash=push.hash, policy_set="other")
    await moved.hello()
    push = (await moved.hear("policy")).policy
    assert push.revision == 1
    await moved.ack(push)

    async def is_settled() -> bool:
        found = await stubs.policies.GetRevision(policies_pb.GetRevisionRequest(policy_set="other"))
        return bool(found.revision.revision == 1)

    await until(is_settled, what="the other set is as it was")
