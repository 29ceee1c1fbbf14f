"""A push is encoded once for all proxies; only its nonce is put in front."""

from __future__ import annotations

import pytest

from seawall.v1 import fleet_pb2, policy_pb2
from seawall_control.api.fleet import push_bytes, serialised


@pytest.mark.parametrize("routes", [0, 1, 40, 3000])
@pytest.mark.parametrize("nonce", [1, 127, 128, 2**40])
def test_the_bytes_are_those_of_the_message(routes: int, nonce: int) -> None:
    """Whatever the lengths: a proxy reads the push as if it had been encoded as a whole."""
    document = policy_pb2.PolicyDocument(version="v1")
    for number in range(routes):
        document.routes.add(name=f"route-{number}", cluster="shop")
    push = fleet_pb2.PolicyPush(revision=7, hash="abc", document=document)
    raw = push_bytes(nonce, push.SerializeToString())
    push.nonce = nonce
    assert fleet_pb2.ConnectResponse.FromString(raw) == fleet_pb2.ConnectResponse(policy=push)
    assert serialised(raw) is raw


def test_other_messages_are_encoded_as_ever() -> None:
    """Acknowledgements and commands are small and differ."""
    message = fleet_pb2.ConnectResponse(event_ack=fleet_pb2.EventAck(spool_id="s", through_seq=3))
    assert serialised(message) == message.SerializeToString()
