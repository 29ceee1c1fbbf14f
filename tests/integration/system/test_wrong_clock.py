"""A control plane whose wall clock is wrong for a while, with its record and its proxies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from seawall.client import Credentials, Seawall
from seawall.client.report import from_exception
from tests.integration.system.test_secured import POLICY
from tests.kit.offset_clock import OffsetClock, built
from tests.kit.processes import Child, running, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow]

YEAR_S = 365 * 86_400


class House:
    """A control plane with a clock of its own, and what calls it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.clock = OffsetClock(built(folder), folder / "control.clock")
        self._stack = stack

    def control(self) -> Child:
        """Start it."""
        arguments = ["-m", "seawall_control", "--data-dir", str(self.folder / "control"), "--log", "json"]
        ports = ["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--proxy-grpc", "127.0.0.1:0", "--tls"]
        child = self._stack.enter_context(
            running("control", [*arguments, *ports], self.folder, self.clock.env)
        )
        child.wait_ready()
        return child

    def client(self, control: Child) -> Seawall:
        """Return a client of it."""
        ca = self.folder / "control" / "authority" / "authority.pem"
        credentials = Credentials(ca_file=str(ca))
        return self._stack.enter_context(Seawall(control.ready["grpc"], credentials=credentials))

    def proxy(self, control: Child) -> Child:
        """Start a proxy that follows it."""
        config = self.folder / "proxy.yaml"
        link = {
            "node": "one",
            "target": control.ready["proxy_grpc"],
            "enrol_target": control.ready["grpc"],
            "enrol_token_file": "token",
        }
        config.write_text(POLICY.format(control=json.dumps(link)))
        arguments = ["-m", "seawall_proxy", "--config", str(config), "--data-dir", str(self.folder / "proxy")]
        child = self._stack.enter_context(running("proxy", [*arguments, "--log", "json"], self.folder))
        child.wait_ready()
        return child


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Give one, and end what ran in it."""
    with ExitStack() as stack:
        yield House(tmp_path, stack)


def is_connected(seawall: Seawall) -> bool:
    """Tell whether the proxy is connected."""
    return any(item.node == "one" and item.connected for item in seawall.operations.proxies())


def test_a_start_a_year_ahead_costs_neither_the_record_nor_the_proxies(house: House) -> None:
    """What a control plane cleans up at its start is the most that it ever does: resolved events and the
    register of certificates are there when the clock is right again, and the proxy comes back by itself.
    """
    control = house.control()
    seawall = house.client(control)
    (house.folder / "token").write_text(seawall.access.create_enrolment_token("one").secret)
    proxy = house.proxy(control)
    wait_until(lambda: is_connected(seawall), "the proxy is connected", 60)
    seawall.events.report([from_exception(ValueError("it failed"), component="checkout")])
    (before,) = seawall.events.list(filter='component = "checkout"')
    seawall.events.resolve([before.id])
    assert control.terminate(60) == 0
    proxy.terminate(60)

    house.clock.set(YEAR_S)
    wrong = house.control()
    wrong.wait_for_log("the wall clock has leapt ahead", 60)
    assert wrong.terminate(60) == 0

    house.clock.set(0)
    control = house.control()
    seawall = house.client(control)
    assert [one.id for one in seawall.events.list(filter='component = "checkout"')] == [before.id]
    (certificate,) = seawall.access.certificates()
    assert certificate.node == "one"
    (house.folder / "token").unlink()
    house.proxy(control)
    wait_until(lambda: is_connected(seawall), "the proxy is back with its certificate", 60)
