"""What a client shows, and to whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from seawall.client import BadCredentials, Credentials
from seawall.client.credentials import is_local


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("127.0.0.1:9090", True),
        ("localhost:9090", True),
        ("[::1]:9090", True),
        ("dns:///localhost:9090", True),
        ("unix:/run/seawall.sock", True),
        ("10.0.0.1:9090", False),
        ("control.internal:9090", False),
        ("localhost.evil.example:9090", False),
        ("127.0.0.1.evil.example:9090", False),
    ],
)
def test_what_is_on_this_machine(target: str, expected: bool) -> None:
    """By address; a name is another machine."""
    assert is_local(target) is expected


def test_a_token_is_not_sent_for_everybody_to_read() -> None:
    """In plaintext it goes to this machine only."""
    token = Credentials(token="sw_abc")
    assert token.metadata("127.0.0.1:9090") == (("authorization", "Bearer sw_abc"),)
    with pytest.raises(BadCredentials, match="--ca-file FILE, or --tls"):
        token.metadata("control.internal:9090")
    assert Credentials(token="sw_abc", tls=True).metadata("control.internal:9090")
    assert Credentials().metadata("control.internal:9090") == ()
    assert "sw_abc" not in repr(token)


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "ä"])
def test_tokens_that_no_header_takes(token: str) -> None:
    """Said before anything is sent."""
    with pytest.raises(BadCredentials, match="copy it again"):
        Credentials(token=token).metadata("127.0.0.1:9090")


def test_the_environment_is_read(tmp_path: Path) -> None:
    """A token itself wins over its file."""
    path = tmp_path / "token"
    path.write_text(" sw_file\n")
    assert Credentials.from_environment({}) == Credentials()
    assert Credentials.from_environment({"SEAWALL_TOKEN_FILE": str(path)}).token == "sw_file"
    both = {"SEAWALL_TOKEN": "sw_given", "SEAWALL_TOKEN_FILE": str(path), "SEAWALL_TLS": "1"}
    found = Credentials.from_environment(both)
    assert (found.token, found.tls) == ("sw_given", True)
    assert not Credentials.from_environment({"SEAWALL_TLS": "0"}).uses_tls
    with pytest.raises(BadCredentials, match="cannot be read"):
        Credentials.from_environment({"SEAWALL_TOKEN_FILE": str(tmp_path / "missing")})


def test_half_a_certificate_is_refused(tmp_path: Path) -> None:
    """And so is a file that is not there."""
    with pytest.raises(BadCredentials, match="both files"):
        Credentials(cert_file="a").channel_credentials()
    with pytest.raises(BadCredentials, match="cannot be read"):
        Credentials(ca_file=str(tmp_path / "missing")).channel_credentials()
    assert Credentials().channel_credentials() is None
