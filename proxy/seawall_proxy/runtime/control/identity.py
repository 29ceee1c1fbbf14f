"""What the proxy shows the control plane, and by what it knows it: files in a folder, or of the operator.

An identity is a key that never leaves the proxy, a certificate that names its node, and the authority that it
enrolled with. It is renewed at half of its time; while that does not work the one that is there is used, and
said. An enrolment token makes one where there is none, where it has expired, and where the token is another
than the one that made it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time
from typing import Final

import grpc

from seawall_proxy.durable_files import write_durably
from seawall_proxy.runtime.certificate import NotACertificate, first_certificate

log = logging.getLogger("seawall.control")

TOMORROW_S: Final = 86_400.0
"""Clocks of two machines may differ by less."""
RETRY_S: Final = 300.0
"""How long after a renewal that failed the next one is tried."""
CONFIRM_RETRY_S: Final = 5.0
"""How long after a new certificate could not be shown that is tried again."""
MAX_FILE_BYTES: Final = 1 << 20
_FILES: Final = ("node.key", "node.pem", "authority.pem")


class IdentityTrouble(Exception):
    """The proxy cannot show who it is; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Key and certificate in PEM form, and the authority's certificate."""

    key: bytes
    certificate: bytes
    authority: bytes
    not_before_s: float
    not_after_s: float

    @property
    def due_s(self) -> float:
        """When to renew it: half of its time, in Unix time."""
        return (self.not_before_s + self.not_after_s) / 2


def identity_of(key: bytes, certificate: bytes, authority: bytes) -> Identity:
    """Return the identity. Raise `NotACertificate`."""
    own = first_certificate(certificate.decode("ascii", "replace"))
    first_certificate(authority.decode("ascii", "replace"))
    return Identity(key, certificate, authority, own.not_before_s, own.not_after_s)


def refuse_misdated(renewed: Identity, old: Identity, now_s: float) -> None:
    """Raise `IdentityTrouble` for a certificate that would be of no use once the clocks are right: whoever
    puts it in the place of one that is good is locked out, and has to be enrolled again by hand.
    """
    begins_in_s, lasts_s = renewed.not_before_s - now_s, old.not_after_s - now_s
    if renewed.not_after_s <= now_s:
        what = "is over already"
    elif begins_in_s > TOMORROW_S and lasts_s > TOMORROW_S:
        what = f"begins in {begins_in_s / 86400.0:.1f} days"
    else:
        return
    raise IdentityTrouble(
        f"the certificate that the control plane has issued {what}: its clock is wrong, or this machine's; "
        "the certificate that is here stays"
    )


class IdentityFolder:
    """The files of an identity."""

    def __init__(self, folder: Path) -> None:
        self.folder: Path = folder

    def load(self) -> Identity | None:
        """Return what is there; None when there is none. Raise `IdentityTrouble` for what cannot be used."""
        if not (self.folder / _FILES[1]).exists():
            return None
        key, certificate, authority = (read_file(self.folder / name) for name in _FILES)
        try:
            return identity_of(key, certificate, authority)
        except NotACertificate as error:
            raise IdentityTrouble(
                f"the identity in {self.folder} is damaged ({error}); remove the folder, and enrol again "
                "with a new token"
            ) from error

    def save(self, identity: Identity, token_digest: str | None = None) -> None:
        """Write an identity, and by which token it came. The certificate last: it stands for the whole."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        contents = (identity.key, identity.certificate, identity.authority)
        order = (0, 2, 1)
        for place in order:
            write_durably(self.folder / _FILES[place], contents[place])
        if token_digest is not None:
            write_durably(self.folder / "token.sha256", token_digest.encode())

    def token_digest(self) -> str:
        """Return the SHA-256 of the token that made the identity; empty when nobody knows."""
        try:
            return (self.folder / "token.sha256").read_text("ascii").strip()
        except OSError:
            return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFiles:
    """Where everything is. Empty: not given."""

    identity: Path
    enrol_token: Path | None = None
    token: Path | None = None
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    tls: bool = False
    """Speak TLS although there is no file for it."""
    server_name: str = ""
    local: bool = False
    """Whether the control plane is on this machine, so that a token may travel in plaintext."""

    @property
    def uses_tls(self) -> bool:
        """Whether the link is encrypted without an identity too."""
        return self.tls or self.ca is not None or self.cert is not None


Enrol = Callable[[str], Awaitable[Identity]]
"""Turns the text of an enrolment token into an identity. Raises `IdentityTrouble`."""
Renew = Callable[[grpc.ChannelCredentials], Awaitable[Identity]]
"""Gets the next identity over a channel with these credentials. Raises `IdentityTrouble`."""
Confirm = Callable[[grpc.ChannelCredentials], Awaitable[None]]
"""Shows an identity that is kept, over a channel with these credentials. Raises `IdentityTrouble`."""


class LinkSecurity:
    """Credentials of the link, kept fresh."""

    def __init__(self, files: LinkFiles, enrol: Enrol, renew: Renew, confirm: Confirm) -> None:
        self._files: LinkFiles = files
        self._folder: IdentityFolder = IdentityFolder(files.identity)
        self._enrol: Enrol = enrol
        self._renew: Renew = renew
        self._confirm: Confirm = confirm
        self._identity: Identity | None = None
        self._retry_at: float = 0.0
        self._unconfirmed: bool = False
        """Whether the identity was renewed and nobody has been shown it."""
        self.trouble: str = ""
        """Why the last renewal did not work, or was not confirmed; empty when it was."""

    @property
    def expires_s(self) -> float | None:
        """Until when the identity is valid, in Unix time; None without one."""
        return None if self._identity is None else self._identity.not_after_s

    async def prepare(self) -> None:
        """Make sure that there is an identity that is good, before a connection. Raise `IdentityTrouble`."""
        if self._files.cert is not None:
            return
        if self._identity is None:
            self._identity = self._folder.load()
        now = time()
        identity = self._identity
        token = self._new_token()
        if token:
            try:
                await self._take(await self._enrol(token), token)
            except IdentityTrouble as error:
                if identity is None or identity.not_after_s <= now:
                    raise
                log.warning("the new enrolment token does not work, the identity here stays: %s", error)
            return
        if identity is not None and identity.not_after_s <= now:
            raise IdentityTrouble(
                f"the certificate in {self._folder.folder} has expired; give the proxy a new enrolment token "
                "(seawall enrol token create --node NAME, then control.enrol_token_file), or set this "
                "machine's clock if that is wrong"
            )
        await self.renew_if_due()

    async def renew_if_due(self) -> None:
        """Renew the identity when half of its time is over, and show the new one when it is kept, so that the
        control plane knows that it has arrived; what goes wrong is said and tried again later.
        """
        identity = self._identity
        now = time()
        if identity is None or monotonic() < self._retry_at:
            return
        if self._unconfirmed:
            await self._show(identity)
        if now < identity.due_s:
            return
        self._retry_at = monotonic() + RETRY_S
        try:
            renewed = await self._renew(self._channel_credentials(identity))
            refuse_misdated(renewed, identity, now)
            await self._take(renewed, None)
        except IdentityTrouble as error:
            days = (identity.not_after_s - now) / 86400.0
            self.trouble = str(error)
            log.warning("the certificate is not renewed, %.1f days before it ends: %s", days, error)
        else:
            self.trouble = ""
            self._unconfirmed = True
            log.info("the certificate of this proxy is renewed")
            if self._identity is not None:
                await self._show(self._identity)

    async def _show(self, identity: Identity) -> None:
        try:
            await self._confirm(self._channel_credentials(identity))
        except IdentityTrouble as error:
            self._retry_at = monotonic() + CONFIRM_RETRY_S
            self.trouble = f"the new certificate is not confirmed: {error}"
            log.warning("%s", self.trouble)
        else:
            self._unconfirmed = False
            self._retry_at = 0.0
            self.trouble = ""

    async def _take(self, identity: Identity, token: str | None) -> None:
        try:
            self._folder.save(identity, digest_of(token) if token else None)
        except OSError as error:
            raise IdentityTrouble(
                f"the identity cannot be kept in {self._folder.folder}: {error.strerror or error}"
            ) from error
        self._identity = identity

    def _new_token(self) -> str:
        """Return the enrolment token that has not been used here; empty when there is none."""
        path = self._files.enrol_token
        if path is None:
            return ""
        if self._identity is not None and not path.exists():
            # It has done its work, and may be removed.
            return ""
        token = read_file(path).decode("utf-8", "replace").strip()
        used = self._identity is not None and self._folder.token_digest() == digest_of(token)
        return "" if used else token

    def credentials(self) -> grpc.ChannelCredentials | None:
        """Return what the next channel is made with; None: plaintext. Raise `IdentityTrouble`."""
        files = self._files
        if files.cert is not None and files.key is not None:
            return grpc.ssl_channel_credentials(
                root_certificates=read_file(files.ca) if files.ca else None,
                private_key=read_file(files.key),
                certificate_chain=read_file(files.cert),
            )
        if self._identity is not None:
            return self._channel_credentials(self._identity)
        if not files.uses_tls:
            return None
        return grpc.ssl_channel_credentials(root_certificates=read_file(files.ca) if files.ca else None)

    def _channel_credentials(self, identity: Identity) -> grpc.ChannelCredentials:
        roots = read_file(self._files.ca) if self._files.ca else identity.authority
        return grpc.ssl_channel_credentials(
            root_certificates=roots, private_key=identity.key, certificate_chain=identity.certificate
        )

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return what the stream carries: the API token, if there is one. Raise `IdentityTrouble`."""
        if self._files.token is None:
            return ()
        if self._identity is None and not self._files.uses_tls and not self._files.local:
            raise IdentityTrouble(
                "the API token is not sent to another machine in plaintext: whoever is on the way could use "
                "it; set control.tls (ca_file names the control plane's authority)"
            )
        token = read_file(self._files.token).decode("utf-8", "replace").strip()
        if not token.isascii() or not token.replace("_", "").isalnum():
            raise IdentityTrouble(f"{self._files.token} holds no token; it begins with sw_")
        return (("authorization", f"Bearer {token}"),)

    def options(self) -> tuple[tuple[str, str], ...]:
        """Return options of the channel."""
        name = self._files.server_name
        return (("grpc.ssl_target_name_override", name),) if name else ()


def digest_of(token: str) -> str:
    """Return what is kept of an enrolment token."""
    return hashlib.sha256(token.encode()).hexdigest()


def read_file(path: Path) -> bytes:
    """Return what a small file holds. Raise `IdentityTrouble`."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise IdentityTrouble(
            f"{path} cannot be read: {error.strerror or error}; give a file that this process may read"
        ) from error
