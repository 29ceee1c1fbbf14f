"""Reads from the policy file how the link to the control plane is secured."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from seawall.v1 import policy_pb2
from seawall_proxy.runtime.control.enrolling import Enroller
from seawall_proxy.runtime.control.identity import LinkFiles, LinkSecurity


def link_security(
    control: policy_pb2.ControlLink, target: str, folder: Path, state_dir: Path
) -> LinkSecurity | None:
    """Return the link's credentials; None when the file asks for none. File names are relative to `folder`,
    the identity is in `state_dir` unless the file says where.
    """

    def named(name: str) -> Path | None:
        return folder / name if name else None

    files = LinkFiles(
        identity=named(control.identity_dir) or state_dir / "identity",
        enrol_token=named(control.enrol_token_file),
        token=named(control.token_file),
        ca=named(control.tls.ca_file),
        cert=named(control.tls.cert_file),
        key=named(control.tls.key_file),
        tls=control.HasField("tls"),
        server_name=control.tls.server_name,
        local=_is_local(target),
    )
    wants = files.enrol_token or files.token or files.tls or (files.identity / "node.pem").exists()
    if not wants:
        return None
    enroller = Enroller(
        control.enrol_target or target, target, ca_file=files.ca, server_name=files.server_name
    )
    return LinkSecurity(files, enroller.enrol, enroller.renew, enroller.confirm)


def _is_local(target: str) -> bool:
    host = target.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
