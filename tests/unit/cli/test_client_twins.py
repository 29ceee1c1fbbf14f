"""The two clients are one: the same methods with the same parameters, and together they reach every RPC."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from seawall.client import access_calls, aio, calls, fleet_operations, rollouts, sync
from seawall.v1 import (
    admin_access_pb2,
    admin_events_pb2,
    admin_fleet_pb2,
    admin_operations_pb2,
    admin_policies_pb2,
    admin_rollouts_pb2,
)

PARTS = [
    ("AsyncPolicies", "Policies"),
    ("AsyncEvents", "Events"),
    ("AsyncOperations", "Operations"),
    ("AsyncRollouts", "Rollouts"),
    ("AsyncAccess", "Access"),
    ("AsyncFleetOperations", "FleetOperations"),
]


def _methods(cls: type) -> dict[str, inspect.Signature]:
    return {name: inspect.signature(value) for name, value in vars(cls).items() if not name.startswith("_")}


@pytest.mark.parametrize(("async_name", "sync_name"), PARTS)
def test_both_clients_have_the_same_methods(async_name: str, sync_name: str) -> None:
    """Names, parameters and defaults agree; only what is returned is awaited or not."""
    left, right = _methods(getattr(aio, async_name)), _methods(getattr(sync, sync_name))
    assert list(left) == list(right)
    for name, signature in left.items():
        assert list(signature.parameters.values()) == list(right[name].parameters.values()), name


@pytest.mark.parametrize(
    "module",
    [
        admin_policies_pb2,
        admin_events_pb2,
        admin_fleet_pb2,
        admin_rollouts_pb2,
        admin_access_pb2,
        admin_operations_pb2,
    ],
)
def test_every_rpc_is_reachable(module: object) -> None:
    """A new RPC without a call here fails; so does a misspelt method, request or answer."""
    parts = (calls, rollouts, access_calls, fleet_operations)
    source = "".join(Path(str(part.__file__)).read_text("utf-8") for part in parts)
    for service in module.DESCRIPTOR.services_by_name.values():  # type: ignore[attr-defined]
        for method in service.methods:
            path = f"{service.full_name}/{method.name}"
            pattern = rf'Call\(\s*"/{re.escape(path)}",\s*[\s\S]*?\.{method.output_type.name}'
            assert re.search(pattern, source), path
            assert f".{method.input_type.name}(" in source


def test_lengths_of_time_are_exact() -> None:
    """Seconds and timedelta give the same message; fractions survive."""
    assert calls.duration(1.5).ToMilliseconds() == 1500
    assert calls.duration(0.000001).ToNanoseconds() == 1000
