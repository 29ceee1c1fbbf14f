"""The compose file: containers that are bounded, asked how they are, and begun by commands that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))[
    "services"
]


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_has_its_limits(name: str) -> None:
    """Memory, processors, processes and files; nothing writable but its volume; no root, no capabilities."""
    service = SERVICES[name]
    assert service["mem_limit"] and service["cpus"] and service["pids_limit"]
    assert service["ulimits"]["nofile"] >= 65536
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service["user"] == "10001:10001"
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert [volume for volume in service["volumes"] if not volume.endswith(":ro")] == [f"{name}-data:/data"]


@pytest.mark.parametrize("name", SERVICES)
def test_it_is_asked_how_it_is_and_started_again(name: str) -> None:
    """By its own command; and it has the time that its drain takes."""
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][:3] == ["CMD", "seawall", "check"]
    assert service["healthcheck"]["retries"] > 0
    assert int(service["stop_grace_period"].rstrip("s")) > 30


@pytest.mark.parametrize("name", SERVICES)
def test_it_runs_commands_and_options_that_there_are(name: str) -> None:
    """And publishes its ports to the host alone, since nobody is asked who they are."""
    service = SERVICES[name]
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    for words in (service["command"], service["healthcheck"]["test"][2:]):
        section = page.partition(f"\n## seawall {words[0]}\n")[2].partition("\n## ")[0]
        assert section, words[0]
        options = [word for word in words if re.match(r"--", word)]
        assert [option for option in options if option not in section] == []
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_every_name_of_the_proxies_policy_is_known_in_a_container() -> None:
    """Docker knows services by their names; on Linux it knows the host only where it is told."""
    policy = yaml.safe_load((ROOT / "deploy" / "proxy.yaml").read_text(encoding="utf-8"))
    wanted = {address.partition(":")[0] for one in policy["clusters"] for address in one["endpoints"]}
    wanted.add(policy["control"]["target"].partition(":")[0])
    for name in ("proxy-1", "proxy-2"):
        hosts = {entry.partition(":")[0] for entry in SERVICES[name].get("extra_hosts", [])}
        assert wanted <= set(SERVICES) | hosts
