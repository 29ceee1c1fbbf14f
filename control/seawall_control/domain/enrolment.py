"""Enrolment of proxies: one-time tokens, and the register of certificates that were issued for them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

WAITING_KIND: Final = "access.enrolment"
"""Enrolment tokens that wait to be used."""
CERTIFICATE_KIND: Final = "access.certificate"
REVOKED_KIND: Final = "access.revoked"
MAX_WAITING: Final = 1000
"""Enrolment tokens that may wait at once."""
DEFAULT_TTL_S: Final = 600.0
_URI: Final = "seawall://node/"
_PINNED: Final = re.compile(r"(?P<secret>swe_[0-9A-Za-z]+)\.(?P<fingerprint>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentToken:
    """A token that waits to be used; its document has the name `digest`."""

    digest: str
    node: str
    created_us: int
    created_by: str
    expires_us: int

    @property
    def id(self) -> str:
        """Names the token in the audit; no secret."""
        return self.digest[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCertificate:
    """A certificate as it is registered."""

    node: str
    serial: str
    """In hexadecimal, lower case, without leading zeros."""
    created_us: int
    expires_us: int
    revoked_us: int = 0
    """0: it is good."""
    authority: str = ""
    """Fingerprint of the authority that issued it; empty: that of the time before this was kept."""
    confirmed: bool = True
    """Whether the node has it: it has shown it, or has never said that it would."""

    @property
    def name(self) -> str:
        """Name of its document; `:` is in no node's name."""
        return f"{self.node}:{self.serial}"


def pinned(secret: str, fingerprint: str) -> str:
    """Return what a proxy is given: the secret, and the fingerprint of the authority that it may trust."""
    return f"{secret}.{fingerprint}"


def unpinned(text: str) -> tuple[str, str]:
    """Return secret and fingerprint of what a proxy was given. Raise ValueError."""
    found = _PINNED.fullmatch(text.strip())
    if found is None:
        raise ValueError("it is no enrolment token: swe_..., a full stop, and 64 hexadecimal digits")
    return found["secret"], found["fingerprint"]


def uri_of(node: str) -> str:
    """Return the name of a node in its certificate."""
    return _URI + quote(node, safe="")


def node_of(uri: str) -> str:
    """Return the node that a certificate's URI names; empty when it names none."""
    return unquote(uri.removeprefix(_URI)) if uri.startswith(_URI) else ""


def encoded_token(token: EnrolmentToken) -> str:
    """Return the body of a token's document."""
    return json.dumps(
        {
            "node": token.node,
            "created_us": token.created_us,
            "created_by": token.created_by,
            "expires_us": token.expires_us,
        },
        separators=(",", ":"),
    )


def decoded_token(digest: str, body: str) -> EnrolmentToken:
    """Return the token of a document."""
    value = json.loads(body)
    return EnrolmentToken(
        digest=digest,
        node=str(value["node"]),
        created_us=int(value["created_us"]),
        created_by=str(value["created_by"]),
        expires_us=int(value["expires_us"]),
    )


def encoded_certificate(certificate: NodeCertificate) -> str:
    """Return the body of a certificate's document."""
    value: dict[str, object] = {
        "created_us": certificate.created_us,
        "expires_us": certificate.expires_us,
        "revoked_us": certificate.revoked_us,
        "authority": certificate.authority,
    }
    if not certificate.confirmed:
        value["confirmed"] = False
    return json.dumps(value, separators=(",", ":"))


def decoded_certificate(name: str, body: str) -> NodeCertificate:
    """Return the certificate of a document."""
    value = json.loads(body)
    node, _, serial = name.rpartition(":")
    return NodeCertificate(
        node=node,
        serial=serial,
        created_us=int(value["created_us"]),
        expires_us=int(value["expires_us"]),
        revoked_us=int(value["revoked_us"]),
        authority=str(value.get("authority", "")),
        confirmed=bool(value.get("confirmed", True)),
    )
