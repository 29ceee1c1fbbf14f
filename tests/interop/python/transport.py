"""How a peer is reached: in plain text, with TLS, or with TLS and certificates on both sides."""

from __future__ import annotations

import argparse
import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

SERVER_NAME = "localhost"
TRANSPORTS = ("plaintext", "tls", "mtls")


@dataclass(frozen=True)
class Transport:
    """A kind of transport, and the folder with ca.pem, server.pem, server.key, client.pem and client.key."""

    kind: str
    certs: Path

    def _read(self, name: str) -> bytes:
        return (self.certs / name).read_bytes()

    def grpcio_server(self) -> grpc.ServerCredentials | None:
        """Return credentials for a grpcio server; None for plain text."""
        if self.kind == "plaintext":
            return None
        mutual = self.kind == "mtls"
        return grpc.ssl_server_credentials(
            [(self._read("server.key"), self._read("server.pem"))],
            self._read("ca.pem") if mutual else None,
            mutual,
        )

    def grpcio_client(self) -> grpc.ChannelCredentials | None:
        """Return credentials for a grpcio client; None for plain text."""
        if self.kind == "plaintext":
            return None
        if self.kind == "tls":
            return grpc.ssl_channel_credentials(self._read("ca.pem"))
        return grpc.ssl_channel_credentials(
            self._read("ca.pem"), self._read("client.key"), self._read("client.pem")
        )

    def context(self, *, server: bool) -> ssl.SSLContext | None:
        """Return a context of Python's ssl module; None for plain text."""
        if self.kind == "plaintext":
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2"])
        context.load_verify_locations(self.certs / "ca.pem")
        mutual = self.kind == "mtls"
        if server:
            context.load_cert_chain(self.certs / "server.pem", self.certs / "server.key")
            context.verify_mode = ssl.CERT_REQUIRED if mutual else ssl.CERT_NONE
        elif mutual:
            context.load_cert_chain(self.certs / "client.pem", self.certs / "client.key")
        return context


def arguments(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that all peers share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--transport", choices=TRANSPORTS, default="plaintext")
    parser.add_argument("--certs", type=Path, default=Path())
    return parser
