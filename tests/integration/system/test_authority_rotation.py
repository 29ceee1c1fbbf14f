"""A rotation of the authority from its begin to its end, with a proxy that is connected all the time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from seawall.client import Denied, Seawall, SeawallError
from tests.integration.system.test_secured import House, connected, link, says
from tests.kit.processes import PATIENCE_S, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Give one, and end what ran in it."""
    with ExitStack() as stack:
        yield House(tmp_path, stack)


def enrolled(house: House, seawall: Seawall, name: str, where: dict[str, str]) -> Any:
    """Start a proxy with a new token."""
    (house.folder / f"{name}.token").write_text(seawall.access.create_enrolment_token(name).secret)
    proxy = house.proxy(name, node=name, enrol_token_file=f"{name}.token", **where)
    wait_until(connected(seawall, name), f"{name} is connected")
    return proxy


def test_a_rotation_without_loss(house: House) -> None:
    """The proxy renews and the old authority goes, all over the link from before; then both connect anew."""
    flags = ("--tls", "--proxy-grpc", "127.0.0.1:0", "--node-certificate-hours", "0.1")
    control = house.control(*flags)
    seawall = house.client(control)
    where = {"target": control.ready["proxy_grpc"], "enrol_target": control.ready["grpc"]}
    proxy = enrolled(house, seawall, "one", where)
    since = link(proxy)

    begun = seawall.access.rotate_authority()
    assert [item.node for item in begun.behind] == ["one"]
    with pytest.raises(SeawallError, match="have not renewed yet"):
        seawall.access.finish_authority_rotation()
    # A proxy that comes in the middle enrols by the authority that is shown, and is behind as well.
    enrolled(house, seawall, "two", where)
    behind = [item.node for item in seawall.access.authority_rotation().behind]
    # On a busy machine the first one's time to renew has come meanwhile.
    assert behind in (["one", "two"], ["two"])

    wait_until(lambda: not seawall.access.authority_rotation().behind, "both have renewed", 3 * PATIENCE_S)
    roots = house.folder / "one" / "proxies" / "one" / "identity" / "authority.pem"
    assert roots.read_text().count("BEGIN CERTIFICATE") == 2
    old_ca = house.folder / "old.pem"
    old_ca.write_bytes((house.folder / "control" / "authority" / "authority.pem").read_bytes())
    both = house.folder / "both.pem"
    both.write_text(seawall.access.authority().certificate)

    done = seawall.access.finish_authority_rotation()
    assert done.fingerprint == begun.next_fingerprint and not done.next_fingerprint
    wait_until(connected(seawall, "one"), "the link stands")
    assert link(proxy)["connected"]
    assert link(proxy)["connects"] == since["connects"], "it is the link from before"

    # Whoever knows both authorities, or the new one, gets in; whoever knows the old one alone does not.
    wait_until(lambda: reaches(house, control, both), "the new certificate is served")
    wait_until(lambda: not reaches(house, control, old_ca), "the old one is not")
    assert seawall.access.verify_audit().intact

    # After a restart the same proxy comes back by the new authority alone.
    address = control.ready["proxy_grpc"]
    assert control.terminate() == 0
    again = house.control("--tls", "--proxy-grpc", address, "--node-certificate-hours", "0.1")
    wait_until(connected(house.client(again), "one"), "the proxy comes back", 60)


def reaches(house: House, control: Any, ca: Path) -> bool:
    """Tell whether a new connection that trusts these authorities is one."""
    from seawall.client import Credentials

    try:
        with Seawall(control.ready["grpc"], credentials=Credentials(ca_file=str(ca))) as client:
            client.access.authority()
    except Denied:
        return True
    except SeawallError:
        return False
    return True


def test_who_has_not_renewed_is_left_behind_only_by_force(house: House) -> None:
    """And enrols again then, with a new token, without a restart."""
    control = house.control("--tls", "--proxy-grpc", "127.0.0.1:0")
    seawall = house.client(control)
    where = {"target": control.ready["proxy_grpc"], "enrol_target": control.ready["grpc"]}
    proxy = enrolled(house, seawall, "one", where)
    seawall.access.rotate_authority()
    seawall.access.finish_authority_rotation(force=True)
    address = control.ready["proxy_grpc"]
    grpc_address = control.ready["grpc"]
    assert control.terminate() == 0
    with ExitStack() as stack:
        again = House(house.folder, stack)
        running = again.control("--tls", "--proxy-grpc", address, "--grpc", grpc_address)
        fresh = again.client(running)
        says(proxy, "UNAVAILABLE")
        (house.folder / "one.token").write_text(fresh.access.create_enrolment_token("one").secret)
        wait_until(connected(fresh, "one"), "it has enrolled by the new authority", 60)
