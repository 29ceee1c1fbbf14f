"""A control plane with TLS and enrolment, and proxies in front of it, as processes."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import grpc
import pytest

from seawall.client import Credentials, Denied, Seawall, Unreachable
from seawall.v1 import fleet_pb2
from tests.kit.certificates import Authority
from tests.kit.processes import PATIENCE_S, READY_LIMIT_S, Child, http_get, running, wait_until

pytestmark = pytest.mark.integration

POLICY = """\
version: v1
listeners: [{{name: main, address: "127.0.0.1:0"}}]
admin: 127.0.0.1:0
clusters: [{{name: c, endpoints: ["127.0.0.1:1"]}}]
routes: [{{name: r, cluster: c}}]
control: {control}
"""


class House:
    """A folder in which everything runs."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack

    def control(self, *flags: str, name: str = "control") -> Child:
        """Start a control plane."""
        arguments = ["-m", "seawall_control", "--data-dir", str(self.folder / name), "--log", "json"]
        ports = ["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"]
        child = self._stack.enter_context(running(name, [*arguments, *ports, *flags], self.folder))
        child.wait_ready()
        return child

    def proxy(self, name: str, **control: str) -> Child:
        """Start a proxy with these settings of its link."""
        config = self.folder / f"{name}.yaml"
        config.write_text(POLICY.format(control=json.dumps(control)))
        arguments = ["-m", "seawall_proxy", "--config", str(config), "--data-dir", str(self.folder / name)]
        child = self._stack.enter_context(running(name, [*arguments, "--log", "json"], self.folder))
        child.wait_ready()
        return child

    def client(self, control: Child, token: str = "", ca: Path | None = None) -> Seawall:
        """Return a client of a control plane with its own authority."""
        ca = ca or self.folder / "control" / "authority" / "authority.pem"
        credentials = Credentials(token=token, ca_file=str(ca))
        return self._stack.enter_context(Seawall(control.ready["grpc"], credentials=credentials))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Give one, and end what ran in it."""
    with ExitStack() as stack:
        yield House(tmp_path, stack)


def link(proxy: Child) -> dict[str, Any]:
    """Return what a proxy says about its link."""
    _, body = http_get(proxy.ready["admin"], "/status")
    found: dict[str, Any] = json.loads(body)["control"]
    return found


def says(proxy: Child, text: str) -> None:
    """Wait until the link's last error holds a text."""
    wait_until(lambda: text in link(proxy)["last_error"], f"{text!r}, not {link(proxy)['last_error']!r}")


def connected(seawall: Seawall, node: str) -> Callable[[], bool]:
    """Return a function that tells whether a proxy is connected."""
    return lambda: any(item.node == node and item.connected for item in seawall.operations.proxies())


def test_a_proxy_enrols_is_revoked_and_comes_back(house: House) -> None:
    """From the first token to the last; a copy of the token and another name get nowhere."""
    control = house.control("--tls", "--proxy-grpc", "127.0.0.1:0")
    seawall = house.client(control)
    where = {"target": control.ready["proxy_grpc"], "enrol_target": control.ready["grpc"]}
    token = house.folder / "token"
    token.write_text(seawall.access.create_enrolment_token("one").secret)
    proxy = house.proxy("one", node="one", enrol_token_file="token", **where)
    wait_until(connected(seawall, "one"), "the proxy is connected")
    (certificate,) = seawall.access.certificates()
    assert certificate.node == "one"

    copycat = house.proxy("two", node="two", enrol_token_file="token", **where)
    says(copycat, "it was used already")
    identity = str(house.folder / "one" / "proxies" / "one" / "identity")
    impostor = house.proxy("three", node="three", identity_dir=identity, **where)
    says(impostor, "is for node 'one', but it says that it is 'three'")
    stranger = house.proxy("four", node="four", target=where["target"])
    says(stranger, "UNAVAILABLE")

    assert seawall.access.revoke_certificates("one") == 1
    says(proxy, "was revoked")
    # The control plane remembers the revocation, the proxy its identity.
    assert control.terminate() == 0
    token.write_text("")

    methods = [entry.method.rpartition("/")[2] for entry in _audit(house)]
    assert methods.count("Enrol") >= 2
    assert {"CreateEnrolmentToken", "RevokeCertificates", "Connect"} <= set(methods)


def _audit(house: House) -> list[Any]:
    """Start the control plane again and read its journal."""
    control = house.control("--tls")
    seawall = house.client(control)
    assert seawall.access.verify_audit().intact
    return list(seawall.access.audit(limit=1000))


def test_a_new_token_brings_a_revoked_proxy_back(house: House) -> None:
    """Without a restart of the proxy."""
    control = house.control("--tls", "--proxy-grpc", "127.0.0.1:0")
    seawall = house.client(control)
    token = house.folder / "token"
    token.write_text(seawall.access.create_enrolment_token("one").secret)
    proxy = house.proxy(
        "one",
        node="one",
        target=control.ready["proxy_grpc"],
        enrol_target=control.ready["grpc"],
        enrol_token_file="token",
    )
    wait_until(connected(seawall, "one"), "the proxy is connected")
    seawall.access.revoke_certificates("one")
    says(proxy, "was revoked")
    token.write_text(seawall.access.create_enrolment_token("one").secret)
    wait_until(connected(seawall, "one"), "the proxy is back")


def test_a_token_of_another_control_plane_is_not_even_sent(house: House) -> None:
    """The fingerprint in it says so."""
    control = house.control("--tls", "--proxy-grpc", "127.0.0.1:0")
    other = house.control("--tls", name="other")
    other_ca = house.folder / "other" / "authority" / "authority.pem"
    secret = house.client(other, ca=other_ca).access.create_enrolment_token("one").secret
    (house.folder / "token").write_text(secret)
    proxy = house.proxy(
        "one",
        node="one",
        target=control.ready["proxy_grpc"],
        enrol_target=control.ready["grpc"],
        enrol_token_file="token",
    )
    says(proxy, "does not show the authority of the enrolment token")
    assert not [entry for entry in house.client(control).access.audit() if entry.method.endswith("/Enrol")]


def test_fleet_and_administration_are_apart(house: House) -> None:
    """The proxies' port has no administration, the other one no fleet; without a certificate there is no
    connection.
    """
    control = house.control("--tls", "--proxy-grpc", "127.0.0.1:0")
    ca = (house.folder / "control" / "authority" / "authority.pem").read_bytes()
    hello = fleet_pb2.ConnectRequest(hello=fleet_pb2.Hello(node="one"))
    for port, code in (("grpc", grpc.StatusCode.UNIMPLEMENTED), ("proxy_grpc", grpc.StatusCode.UNAVAILABLE)):
        with grpc.secure_channel(control.ready[port], grpc.ssl_channel_credentials(ca)) as channel:
            connect = channel.stream_stream(
                "/seawall.v1.FleetService/Connect",
                request_serializer=fleet_pb2.ConnectRequest.SerializeToString,
                response_deserializer=fleet_pb2.ConnectResponse.FromString,
            )
            with pytest.raises(grpc.RpcError) as refused:
                next(connect(iter([hello]), timeout=PATIENCE_S))
            assert refused.value.code() is code


def test_a_proxy_with_an_api_token_on_one_tls_port(house: House) -> None:
    """Where no port asks for certificates, a token of the role proxy does."""
    control = house.control("--tls", "--require-credentials")
    # The first token is made by the user of the machine; here the start without the flag stands for that.
    control.terminate()
    control = house.control("--tls")
    admin = house.client(control)
    (house.folder / "token").write_text(admin.access.create_token("one", ["proxy"]).secret)
    operator = admin.access.create_token("me", ["operator"]).secret
    control.terminate()
    control = house.control("--tls", "--require-credentials")
    ca = str(house.folder / "control" / "authority" / "authority.pem")
    with pytest.raises(Denied, match="shows no credential"):
        list(house.client(control).operations.proxies())
    seawall = house.client(control, operator)
    config = {"target": control.ready["grpc"], "token_file": "token"}
    path = house.folder / "one.yaml"
    text = json.dumps({**config, "node": "one", "tls": {"ca_file": ca}})
    path.write_text(POLICY.format(control=text))
    arguments = ["-m", "seawall_proxy", "--config", str(path), "--data-dir", str(house.folder / "one")]
    with running("one", [*arguments, "--log", "json"], house.folder) as proxy:
        proxy.wait_ready()
        wait_until(connected(seawall, "one"), "the proxy is connected")


def test_certificates_of_the_operator_are_served_and_followed(house: House) -> None:
    """GRPC and HTTP take up a new pair without a restart."""
    authority = Authority(house.folder)
    pair = authority.issue("server", "localhost", "127.0.0.1")
    control = house.control("--tls-cert", str(pair.cert), "--tls-key", str(pair.key))
    seawall = house.client(control, ca=authority.path)
    assert not list(seawall.operations.proxies())

    def served() -> int:
        context = ssl.create_default_context(cafile=str(authority.path))
        connection = HTTPSConnection(control.ready["http"], timeout=PATIENCE_S, context=context)
        connection.request("GET", "/health")
        assert connection.getresponse().status == 200
        peer: Any = connection.sock.getpeercert()
        connection.close()
        return int(peer["serialNumber"], 16)

    first = served()
    pair.replace_by(authority.issue("fresh", "localhost", "127.0.0.1"))
    wait_until(lambda: served() != first, "the new certificate is served")
    assert not list(house.client(control, ca=authority.path).operations.proxies())
    other = Authority(house.folder, "other")
    with pytest.raises(Unreachable, match="--ca-file"):
        list(house.client(control, ca=other.path).operations.proxies())


def test_clients_with_certificates_still_need_a_token(house: House) -> None:
    """A certificate opens the connection, a token says what may be done."""
    authority = Authority(house.folder)
    control = house.control("--tls", "--tls-client-ca", str(authority.path))
    pair = authority.issue("me", uri="seawall://node/one")
    ca = str(house.folder / "control" / "authority" / "authority.pem")
    with pytest.raises(Unreachable):
        list(house.client(control).operations.proxies())
    credentials = Credentials(ca_file=ca, cert_file=str(pair.cert), key_file=str(pair.key))
    with Seawall(control.ready["grpc"], credentials=credentials) as seawall:
        # The user of this machine needs no token; its certificate makes it no proxy.
        assert not list(seawall.operations.proxies())


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--grpc", "0.0.0.0:0"], "(--grpc) can be reached from other machines"),
        (["--http", "0.0.0.0:0"], "(--http) can be reached from other machines"),
        (["--proxy-grpc", "0.0.0.0:0"], "(--proxy-grpc) can be reached from other machines"),
        (["--tls-cert", "missing.pem"], "give both --tls-cert and --tls-key"),
        (["--tls-cert", "missing.pem", "--tls-key", "missing.key"], "missing.pem cannot be read"),
    ],
)
def test_starts_that_are_refused(house: House, flags: list[str], says: str) -> None:
    """With exit code 2 and a sentence."""
    arguments = ["-m", "seawall_control", "--data-dir", str(house.folder / "control")]
    ports = [] if "--grpc" in flags else ["--grpc", "127.0.0.1:0"]
    ports += [] if "--http" in flags else ["--http", "127.0.0.1:0"]
    with running("control", [*arguments, *ports, *flags], house.folder) as child:
        # As long as a start may take.
        assert child.process.wait(READY_LIMIT_S) == 2
        assert says in child.log()


def test_insecure_takes_everybody_and_says_so(house: House) -> None:
    """On every address."""
    control = house.control("--insecure")
    assert "INSECURE" in control.log()
    with Seawall(control.ready["grpc"], credentials=Credentials()) as seawall:
        assert not list(seawall.operations.proxies())
