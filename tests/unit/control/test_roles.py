"""Every RPC says who may call it: an RPC without a role would be refused to everybody."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
from google.protobuf.descriptor import MethodDescriptor

import seawall.v1
from seawall.v1 import options_pb2


def methods() -> list[MethodDescriptor]:
    """Return the RPCs of every service of `seawall.v1`."""
    found = []
    for module in pkgutil.iter_modules(seawall.v1.__path__):
        if module.name.endswith("_pb2"):
            file = importlib.import_module(f"seawall.v1.{module.name}").DESCRIPTOR
            found += [method for service in file.services_by_name.values() for method in service.methods]
    return found


def test_there_are_rpcs() -> None:
    """The walk below meets the services."""
    assert {"seawall.v1.FleetService.Connect", "seawall.v1.PolicyService.ApplyPolicy"} <= {
        method.full_name for method in methods()
    }


@pytest.mark.parametrize("method", methods(), ids=lambda method: method.full_name)
def test_an_rpc_has_a_role(method: MethodDescriptor) -> None:
    """The option is set."""
    role: int = method.GetOptions().Extensions[options_pb2.role]  # type: ignore[index]
    assert role != options_pb2.ROLE_UNSPECIFIED, (
        f"{method.full_name} has no role; add `option (seawall.v1.role) = ROLE_...;` to its definition "
        "(viewer to read, operator to act, editor for policies, admin for access)"
    )
