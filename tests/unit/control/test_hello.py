"""What is remembered of a proxy that comes back."""

from __future__ import annotations

import pytest

from seawall_control.domain.fleet import ProxyRecord, Verdict
from seawall_control.services.hello import HelloFacts, record_of


@pytest.mark.parametrize(("policy_set", "stays"), [("ours", True), ("theirs", False)])
def test_why_a_proxy_refused_stays_with_its_set(policy_set: str, stays: bool) -> None:
    """Those who may see the one set only are not to read what was wrong in a document of the other."""
    before = ProxyRecord(
        node="p",
        boot_id="1",
        labels={},
        policy_set="ours",
        applied_revision=3,
        last_verdict=Verdict.NACK,
        reasons=("route secret: no such cluster",),
        answered_us=5,
    )
    hello = HelloFacts(node="p", boot_id="1", applied_revision=3)
    found = record_of(hello, before, policy_set=policy_set, at_us=9)
    assert (found.reasons == before.reasons) == stays
    assert (found.last_verdict is Verdict.NACK, found.answered_us == 5) == (stays, stays)
    assert found.applied_revision == (3 if stays else 0)
