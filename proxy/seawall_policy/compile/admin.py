"""Reading the settings of the proxy's admin HTTP."""

from __future__ import annotations

import ipaddress
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy.compile import codes
from seawall_policy.compile.addresses import address_mistake
from seawall_policy.compile.scope import Scope
from seawall_policy.compile.tls import check_pair
from seawall_policy.suggest import quoted

MAX_METHODS: Final = 10_000
"""Methods that statistics may learn."""


def read_admin(scope: Scope, admin: policy_pb2.Admin) -> None:
    """Report what is wrong with an admin section."""
    learned = admin.max_methods if admin.HasField("max_methods") else None
    (scope / "max_methods").integer(learned, 0, MAX_METHODS, 500)
    mistake = address_mistake(admin.address, lowest_port=0, unix=True) if admin.address else ""
    if mistake:
        (scope / "address").error(codes.BAD_ADDRESS, f"{quoted(admin.address)} {mistake}")
    if admin.HasField("tls"):
        check_pair(scope / "tls", admin.tls.cert_file, admin.tls.key_file, needed=True)
    elif admin.token_file and not mistake and _is_exposed(admin.address):
        (scope / "token_file").warn(
            codes.READ_ON_THE_WAY,
            f"other machines can reach {quoted(admin.address)}, and the secret would travel in plaintext; "
            "add `tls: {cert_file: admin.pem, key_file: admin.key}`, or bind the pages to 127.0.0.1",
        )


def _is_exposed(address: str) -> bool:
    """Tell whether other machines can reach a listener."""
    if not address or address.startswith("unix:"):
        return False
    host = address.rpartition(":")[0].strip("[]")
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
