"""TLS towards endpoints: what is verified, and what an operator reads when it fails."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import Any

import grpc
import pytest

from tests.integration.transport.kit import document, plain_channel, secure_upstream
from tests.kit.certificates import Authority, Pair
from tests.kit.processes import PATIENCE_S, wait_until
from tests.kit.rpc import unary_unary
from tests.kit.stand import Proxy, Stand

pytestmark = pytest.mark.integration

LISTENERS = [{"name": "main", "address": "127.0.0.1:0"}]


@pytest.fixture(scope="module")
def server(authority: Authority) -> Pair:
    """Give the upstream's certificate."""
    return authority.issue("up", "shop.example", "127.0.0.1")


def cluster(name: str, endpoint: str, tls: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a cluster."""
    return {"name": name, "endpoints": [endpoint], "tls": tls, **more}


def last_error(proxy: Proxy, name: str) -> str:
    """Wait for a cluster's endpoint to have failed; return why."""

    def find() -> str:
        (endpoint,) = proxy.status()["clusters"][name]["endpoints"]
        return str(endpoint["last_error"] or "")

    return str(wait_until(find, f"{name} fails"))


async def test_what_is_verified(
    stand: Stand, authority: Authority, server: Pair, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The chain and the name have to be right; each failure says what to look at."""
    other = Authority(tmp_path_factory.mktemp("other"), "other")
    ca = {"ca_file": str(authority.path)}
    endpoint = secure_upstream(stand, str(server.cert), str(server.key))
    demanding = secure_upstream(
        stand, str(server.cert), str(server.key), str(authority.path), name="demanding"
    )
    plaintext = stand.upstream("plain")[1]
    stranger = other.issue("stranger", common_name="x")
    good = {
        "address": cluster("address", endpoint, ca),
        "name": cluster("name", endpoint, {**ca, "server_name": "shop.example"}),
        "authority": cluster("authority", endpoint, ca, authority="shop.example:443"),
        "unverified": cluster("unverified", endpoint, {"insecure_skip_verify": True}),
    }
    bad = {
        "other-name": (cluster("other-name", endpoint, {**ca, "server_name": "bank.example"}), "server_name"),
        "other-ca": (cluster("other-ca", endpoint, {"ca_file": str(other.path)}), "tls.ca_file"),
        "system-ca": (cluster("system-ca", endpoint, {}), "tls.ca_file"),
        "plaintext": (cluster("plaintext", plaintext, ca), "TLS handshake"),
        "uncertified": (cluster("uncertified", demanding, ca), "tls.cert_file"),
        "stranger": (cluster("stranger", demanding, {**ca, **stranger.settings()}), "tls.cert_file"),
    }
    names = [*good, *bad]
    policy = {
        "clusters": [*good.values(), *(entry for entry, _ in bad.values())],
        "routes": [{"name": name, "match": {"service": f"a.{name}"}, "cluster": name} for name in names],
    }
    for route in policy["routes"]:
        route["match"]["service"] = route["match"]["service"].replace("-", "_")
    proxy = stand.proxy(stand.policy(policy))
    async with plain_channel(proxy.address) as client:
        for name in good:
            proxy.wait_for_endpoints(name, 1)
            assert await unary_unary(client, f"/a.{name}/Unary")(b"x", timeout=PATIENCE_S) == b"x"
        for name, (_, part) in bad.items():
            assert part in last_error(proxy, name), name
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await unary_unary(client, f"/a.{name.replace('-', '_')}/Unary")(b"x", timeout=PATIENCE_S)
            assert failure.value.code() == grpc.StatusCode.UNAVAILABLE


def test_an_endpoint_without_http2_is_refused(stand: Stand, authority: Authority, server: Pair) -> None:
    """An endpoint that does not choose h2 by ALPN gets no calls."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.cert, server.key)
    context.set_alpn_protocols(["http/1.1"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(2 * PATIENCE_S)

        def serve() -> None:
            raw, _ = listener.accept()
            with raw:
                try:
                    context.wrap_socket(raw, server_side=True).recv(10)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        endpoint = f"127.0.0.1:{listener.getsockname()[1]}"
        proxy = stand.proxy(stand.policy(document(endpoint, LISTENERS, tls={"ca_file": str(authority.path)})))
        assert "ALPN" in last_error(proxy, "up")
        thread.join(PATIENCE_S)


@pytest.mark.parametrize(
    ("tls", "said"),
    [
        ({"ca_file": "gone.pem"}, "gone.pem cannot be read: No such file"),
        ({"ca_file": "empty.pem"}, "empty.pem holds no usable certificates"),
        ({"cert_file": "a.pem", "key_file": "b.key"}, "b.key is not the private key of"),
        ({"cert_file": "a.pem", "key_file": "secret.key"}, "the private key is encrypted"),
    ],
)
def test_files_that_cannot_be_used_end_the_start(
    stand: Stand, tls: dict[str, str], said: str, tmp_path: object
) -> None:
    """The message names the cluster and the file, relative to the policy file, and the exit code is 1."""
    from tests.kit.certificates import pem_key

    local = Authority(stand.folder, "local")
    local.issue("a", "a.example")
    local.issue("b", "b.example")
    (stand.folder / "secret.key").write_bytes(pem_key(local.key, b"password"))
    (stand.folder / "empty.pem").write_text("nothing\n")
    config = stand.policy(document("127.0.0.1:1", LISTENERS, tls=tls))
    child = stand._start(
        "proxy", ["-m", "seawall_proxy", "--config", str(config), "--data-dir", str(stand.folder / "data")]
    )
    assert child.process.wait(PATIENCE_S) == 1
    assert said in child.log()
    assert "clusters[up].tls" in child.log()
    assert str(stand.folder) in child.log()
    assert "PRIVATE" not in child.log()
