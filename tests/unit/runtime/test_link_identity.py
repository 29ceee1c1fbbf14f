"""The proxy's identity: when it enrols, when it renews, and what it does when neither works."""

from __future__ import annotations

import re
import stat
import time
from pathlib import Path

import grpc
import pytest

from seawall.v1 import policy_pb2
from seawall_proxy.runtime.control import identity
from seawall_proxy.runtime.control.identity import (
    Identity,
    IdentityFolder,
    IdentityTrouble,
    LinkFiles,
    LinkSecurity,
    digest_of,
    identity_of,
)
from seawall_proxy.runtime.control.security import link_security
from tests.kit.certificates import Authority


class Control:
    """What a control plane would answer."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.enrolled: list[str] = []
        self.renewed = 0
        self.confirmed: list[Path] = []
        self.unconfirmable = ""
        self.folder = folder
        self.trouble = ""
        self.starts_in_days, self.ends_in_days = 0.0, 7.0
        self.off_days = 0.0
        """By how much its clock is wrong when it renews."""

    def identity(self) -> Identity:
        """Issue one."""
        pair = self.authority.issue(
            "node",
            uri="seawall://node/p",
            starts_in_days=self.starts_in_days,
            ends_in_days=self.ends_in_days,
        )
        return identity_of(pair.key.read_bytes(), pair.cert.read_bytes(), self.authority.path.read_bytes())

    async def enrol(self, token: str) -> Identity:
        """Take a token."""
        if self.trouble:
            raise IdentityTrouble(self.trouble)
        self.enrolled.append(token)
        return self.identity()

    async def renew(self, credentials: grpc.ChannelCredentials) -> Identity:
        """Renew."""
        if self.trouble:
            raise IdentityTrouble(self.trouble)
        self.renewed += 1
        self.starts_in_days, self.ends_in_days = self.off_days, self.off_days + 7.0
        return self.identity()

    async def confirm(self, credentials: grpc.ChannelCredentials) -> None:
        """See a certificate that is kept."""
        if self.unconfirmable:
            raise IdentityTrouble(self.unconfirmable)
        found = IdentityFolder(self.folder / "identity").load()
        assert found is not None
        assert found.not_after_s > time.time() + 6 * 86400, "what is confirmed is in its file already"
        self.confirmed.append(self.folder)

    def security(self, folder: Path, token: Path | None = None) -> LinkSecurity:
        """Return the credentials of a link, as after a start."""
        files = LinkFiles(identity=folder / "identity", enrol_token=token)
        return LinkSecurity(files, self.enrol, self.renew, self.confirm)


def put(path: Path, text: str | None) -> None:
    """Write a file, or remove it."""
    if text is None:
        path.unlink()
    else:
        path.write_text(text)


@pytest.fixture
def control(tmp_path: Path) -> Control:
    """Give one."""
    return Control(tmp_path)


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """Write a token."""
    path = tmp_path / "token"
    path.write_text("first\n")
    return path


async def test_a_token_is_used_once_and_may_then_be_removed(
    control: Control, tmp_path: Path, token: Path
) -> None:
    """Neither a second connection nor a second start uses it again."""
    security = control.security(tmp_path, token)
    assert security.credentials() is None
    await security.prepare()
    await security.prepare()
    assert security.credentials() is not None
    again = control.security(tmp_path, token)
    await again.prepare()
    assert control.enrolled == ["first"]
    put(token, None)
    last = control.security(tmp_path, token)
    await last.prepare()
    assert last.credentials() is not None
    key = tmp_path / "identity" / "node.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700


async def test_another_token_enrols_again(control: Control, tmp_path: Path, token: Path) -> None:
    """Which is how a revoked proxy comes back; one that does not work leaves the identity alone."""
    security = control.security(tmp_path, token)
    await security.prepare()
    put(token, "second")
    await security.prepare()
    assert control.enrolled == ["first", "second"]
    put(token, "third")
    control.trouble = "used already"
    await security.prepare()
    assert security.credentials() is not None
    control.trouble = ""
    await security.prepare()
    assert control.enrolled == ["first", "second", "third"]


async def test_without_identity_and_token_nothing_works_and_it_says_why(
    control: Control, tmp_path: Path, token: Path
) -> None:
    """A token file that is missing, and a control plane that refuses."""
    put(token, None)
    with pytest.raises(IdentityTrouble, match="token cannot be read"):
        await control.security(tmp_path, token).prepare()
    put(token, "x")
    control.trouble = "UNAUTHENTICATED: expired"
    with pytest.raises(IdentityTrouble, match="expired"):
        await control.security(tmp_path, token).prepare()


async def test_half_of_the_time_is_when_it_renews(control: Control, tmp_path: Path, token: Path) -> None:
    """Not before; and one that fails is tried again later, the old one in use meanwhile."""
    security = control.security(tmp_path, token)
    await security.prepare()
    await security.renew_if_due()
    assert control.renewed == 0
    control.starts_in_days, control.ends_in_days = -4.0, 3.0
    put(token, "old")
    await security.prepare()
    control.trouble = "UNAVAILABLE"
    await security.renew_if_due()
    assert security.trouble == "UNAVAILABLE"
    assert security.credentials() is not None
    control.trouble = ""
    await security.renew_if_due()
    assert control.renewed == 0
    security._retry_at = 0.0
    await security.renew_if_due()
    assert (control.renewed, security.trouble) == (1, "")
    assert security.expires_s is not None
    assert security.expires_s > time.time() + 6 * 86400
    found = IdentityFolder(tmp_path / "identity").load()
    assert found is not None
    assert found.not_after_s == security.expires_s


@pytest.mark.parametrize(
    ("off_days", "why"), [(400.0, r"begins in 400\.0 days"), (-400.0, "is over already")]
)
async def test_a_certificate_of_another_year_is_not_taken(
    control: Control, tmp_path: Path, token: Path, off_days: float, why: str
) -> None:
    """The control plane's clock was wrong when it renewed: with that certificate the proxy would be refused
    as soon as the clock is right, for a year. The one that is here stays; the next try brings a good one.
    """
    control.starts_in_days, control.ends_in_days = -4.0, 3.0
    security = control.security(tmp_path, token)
    await security.prepare()
    before = security.expires_s
    control.off_days = off_days
    await security.renew_if_due()
    assert re.search(why, security.trouble)
    assert security.expires_s == before
    found = IdentityFolder(tmp_path / "identity").load()
    assert found is not None
    assert found.not_after_s == before
    control.off_days = 0.0
    security._retry_at = 0.0
    await security.renew_if_due()
    assert (control.renewed, security.trouble) == (2, "")


async def test_a_certificate_of_tomorrow_is_better_than_none(
    control: Control, tmp_path: Path, token: Path
) -> None:
    """This machine's clock may be the one that is behind: the last day's try is taken as it is."""
    control.starts_in_days, control.ends_in_days = -6.5, 0.5
    security = control.security(tmp_path, token)
    await security.prepare()
    control.off_days = 2.0
    await security.renew_if_due()
    assert (control.renewed, security.trouble) == (1, "")
    assert security.expires_s is not None
    assert security.expires_s > time.time() + 8 * 86400


async def test_a_clock_that_was_ahead_does_not_put_the_next_try_off(
    control: Control, tmp_path: Path, token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When to try again is no matter of the wall clock: ahead for a minute, it would be in a year."""
    control.starts_in_days, control.ends_in_days = -4.0, 3.0
    security = control.security(tmp_path, token)
    await security.prepare()
    control.trouble = "UNAVAILABLE"
    with monkeypatch.context() as patched:
        patched.setattr(identity, "time", lambda: time.time() + 365 * 86400)
        await security.renew_if_due()
    assert security.trouble == "UNAVAILABLE"
    assert security._retry_at < time.monotonic() + 600


async def test_a_renewed_certificate_is_shown_once_it_is_kept(
    control: Control, tmp_path: Path, token: Path
) -> None:
    """Until the control plane has seen it, which is tried again; then never more."""
    control.starts_in_days, control.ends_in_days = -4.0, 3.0
    security = control.security(tmp_path, token)
    await security.prepare()
    assert control.confirmed == []
    control.unconfirmable = "UNAVAILABLE"
    await security.renew_if_due()
    assert (control.renewed, len(control.confirmed)) == (1, 0)
    assert security.trouble == "the new certificate is not confirmed: UNAVAILABLE"
    control.unconfirmable = ""
    await security.renew_if_due()
    assert len(control.confirmed) == 0, "it waits before it tries again"
    for _ in range(3):
        security._retry_at = 0.0
        await security.renew_if_due()
    assert (control.renewed, len(control.confirmed), security.trouble) == (1, 1, "")


async def test_an_identity_that_has_expired_takes_a_new_token(
    control: Control, tmp_path: Path, token: Path
) -> None:
    """Renewal is not possible any more: the connection would be refused."""
    control.starts_in_days, control.ends_in_days = -8.0, -1.0
    security = control.security(tmp_path, token)
    await security.prepare()
    with pytest.raises(IdentityTrouble, match="has expired; give the proxy a new enrolment token"):
        await security.prepare()
    control.starts_in_days, control.ends_in_days = 0.0, 7.0
    put(token, "second")
    await security.prepare()
    assert control.enrolled == ["first", "second"]


def test_a_damaged_identity_is_said(tmp_path: Path) -> None:
    """And not taken for none: another node would answer under this name."""
    folder = tmp_path / "identity"
    folder.mkdir()
    for name in ("node.key", "node.pem", "authority.pem"):
        (folder / name).write_text("nonsense")
    with pytest.raises(IdentityTrouble, match="is damaged"):
        IdentityFolder(folder).load()
    assert IdentityFolder(tmp_path / "none").load() is None


def control_link(**settings: object) -> policy_pb2.ControlLink:
    """Return a link's settings."""
    tls = settings.pop("tls", None)
    found = policy_pb2.ControlLink(target="control.internal:9090", **settings)  # type: ignore[arg-type]
    if tls is not None:
        found.tls.CopyFrom(policy_pb2.ControlTls(**tls))  # type: ignore[arg-type]
    return found


async def test_an_api_token_goes_only_where_nobody_reads_it(tmp_path: Path) -> None:
    """Over TLS, or on this machine."""
    put(tmp_path / "token", "sw_abc\n")
    link = control_link(token_file="token")
    away = link_security(link, "control.internal:9090", tmp_path, tmp_path)
    assert away is not None
    with pytest.raises(IdentityTrouble, match="not sent to another machine in plaintext"):
        away.metadata()
    here = link_security(link, "127.0.0.1:9090", tmp_path, tmp_path)
    assert here is not None
    assert here.metadata() == (("authorization", "Bearer sw_abc"),)
    assert here.credentials() is None
    over_tls = link_security(
        control_link(token_file="token", tls={}), "control.internal:9090", tmp_path, tmp_path
    )
    assert over_tls is not None
    assert over_tls.metadata()
    assert over_tls.credentials() is not None
    put(tmp_path / "token", "two words")
    with pytest.raises(IdentityTrouble, match="holds no token"):
        here.metadata()


async def test_certificates_of_the_operator(tmp_path: Path) -> None:
    """Nothing is enrolled or renewed then; files are read at each connection, so that they may change."""
    authority = Authority(tmp_path)
    pair = authority.issue("own", uri="seawall://node/p")
    tls = {"ca_file": str(authority.path), "cert_file": str(pair.cert), "key_file": str(pair.key)}
    security = link_security(
        control_link(tls={**tls, "server_name": "control"}), "10.0.0.1:9090", tmp_path, tmp_path
    )
    assert security is not None
    await security.prepare()
    assert security.credentials() is not None
    assert security.options() == (("grpc.ssl_target_name_override", "control"),)
    assert security.expires_s is None


def test_without_settings_the_link_is_plain(tmp_path: Path) -> None:
    """As it was."""
    assert link_security(control_link(), "127.0.0.1:9090", tmp_path, tmp_path) is None


def test_digests_tell_tokens_apart() -> None:
    """Nothing else of a token is kept."""
    assert digest_of("a") != digest_of("b")
