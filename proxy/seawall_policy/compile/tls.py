"""Reading TLS settings: which files, which names.

Only what the document says is judged here. Whether a file is there, fits its key and is still valid is for
the runtime, which reads it: another machine than the one that writes a policy has the files.
"""

from __future__ import annotations

from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy.compile import codes
from seawall_policy.compile.addresses import host_mistake
from seawall_policy.compile.report import Report
from seawall_policy.compile.scope import Scope
from seawall_policy.suggest import quoted
from seawall_policy.transport import HANDSHAKE_LIMIT_S, ClientTls, ServerCertificate, ServerTls

MAX_CERTIFICATES: Final = 64
MAX_NAMES: Final = 100


def read_listener_tls(scope: Scope, tls: policy_pb2.ListenerTls) -> ServerTls:
    """Return the TLS settings of a listener."""
    check_pair(scope, tls.cert_file, tls.key_file, needed=True)
    certificates = [ServerCertificate(tls.cert_file, tls.key_file, ())]
    if len(tls.certificates) > MAX_CERTIFICATES:
        (scope / "certificates").error(
            codes.TOO_MANY,
            f"has {len(tls.certificates)} certificates; at most {MAX_CERTIFICATES} are allowed",
        )
    owners: dict[str, int] = {}
    for index, entry in enumerate(tls.certificates[:MAX_CERTIFICATES]):
        place = (scope / "certificates").at(index)
        check_pair(place, entry.cert_file, entry.key_file, needed=True)
        names = _read_names(place / "server_names", entry, owners, index)
        certificates.append(ServerCertificate(entry.cert_file, entry.key_file, names))
    limit = (scope / "handshake_timeout").duration(
        tls.handshake_timeout if tls.HasField("handshake_timeout") else None, "1s", "5m", HANDSHAKE_LIMIT_S
    )
    return ServerTls(tuple(certificates), tls.client_ca_file, limit)


def _read_names(
    scope: Scope, entry: policy_pb2.ListenerCertificate, owners: dict[str, int], index: int
) -> tuple[str, ...]:
    if len(entry.server_names) > MAX_NAMES:
        scope.error(codes.TOO_MANY, f"has {len(entry.server_names)} names; at most {MAX_NAMES} are allowed")
    names: list[str] = []
    for number, given in enumerate(entry.server_names[:MAX_NAMES]):
        name = given.lower().removesuffix(".")
        mistake = host_mistake(name.removeprefix("*."))
        if mistake:
            scope.at(number).error(codes.BAD_ADDRESS, f"{quoted(given)} {mistake}")
        elif name in owners:
            scope.at(number).error(
                codes.DUPLICATE_NAME,
                f"{quoted(given)} is already a name of certificates[{owners[name]}]; remove one of them",
            )
        owners[name] = index
        names.append(name)
    return tuple(names)


def read_cluster_tls(scope: Scope, tls: policy_pb2.ClusterTls, host: str) -> ClientTls:
    """Return the TLS settings of a cluster; `host` is the name to expect when the settings name none."""
    check_pair(scope, tls.cert_file, tls.key_file, needed=False)
    if tls.server_name:
        mistake = host_mistake(tls.server_name)
        if mistake:
            (scope / "server_name").error(codes.BAD_ADDRESS, f"{quoted(tls.server_name)} {mistake}")
    if tls.insecure_skip_verify:
        (scope / "insecure_skip_verify").warn(
            codes.UNVERIFIED,
            "certificates are not verified: anyone on the way can read and change the calls; "
            "name the authority with ca_file instead",
        )
        if tls.ca_file:
            (scope / "ca_file").warn(codes.NO_EFFECT, "insecure_skip_verify makes this meaningless")
    name = tls.server_name.removesuffix(".") or host
    return ClientTls(tls.ca_file, tls.cert_file, tls.key_file, name, not tls.insecure_skip_verify)


def cluster_tls(cluster: policy_pb2.Cluster) -> ClientTls | None:
    """Return the TLS settings of a cluster that has been checked; None for plaintext."""
    if not cluster.HasField("tls"):
        return None
    return read_cluster_tls(Scope(Report(), "tls"), cluster.tls, authority_host(cluster.authority))


def authority_host(authority: str) -> str:
    """Return the host of an authority, without port and brackets."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0]


def check_pair(scope: Scope, cert_file: str, key_file: str, *, needed: bool) -> None:
    """Report a certificate without its key, and the other way round; `needed`: neither may be missing."""
    if not cert_file and (needed or key_file):
        (scope / "cert_file").error(codes.MISSING, "name the certificate; add `cert_file: server.pem`")
    if not key_file and (needed or cert_file):
        (scope / "key_file").error(codes.MISSING, "name the private key; add `key_file: server.key`")
