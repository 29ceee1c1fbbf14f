"""The command line of access: who may call, TLS, listeners of their own."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from seawall_control.access import AccessSettings
from seawall_control.api.gate import GatePolicy
from seawall_control.listening import TlsSettings


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--require-credentials",
        action="store_true",
        help="take no call without a token, not even from the user that runs this process",
    )
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="take every call from everybody: whoever reaches the ports may do everything",
    )
    parser.add_argument(
        "--two-person",
        action="store_true",
        help="a change of a policy is proposed by one person and approved by another",
    )
    parser.add_argument(
        "--reflection",
        action="store_true",
        help="serve gRPC reflection to viewers also where other machines can reach the port",
    )
    parser.add_argument(
        "--open-metrics", action="store_true", help="let everybody read /metrics, without a token"
    )
    parser.add_argument(
        "--audit-days",
        type=float,
        default=365.0,
        help="delete audit entries older than this, but never the newest 10,000; 0 keeps them",
    )
    parser.add_argument(
        "--store-keys",
        type=Path,
        default=os.environ.get("SEAWALL_STORE_KEYS") or None,
        metavar="FILE",
        help="keys of the store, for secrets and for the seal of the audit; made at the first start; default "
        "is authority/store.keys in the data directory",
    )
    parser.add_argument(
        "--proxy-grpc",
        default="",
        metavar="HOST:PORT",
        help="a gRPC address for proxies alone; with TLS they show certificates there",
    )
    parser.add_argument(
        "--node-certificate-hours",
        type=float,
        default=168.0,
        metavar="HOURS",
        help="how long a proxy's certificate is valid, 0.1 to 8760; it is renewed at half of that; default "
        "is a week",
    )
    parser.add_argument("--tls", action="store_true", help="serve TLS with certificates of the own authority")
    parser.add_argument(
        "--tls-name",
        action="append",
        default=[],
        metavar="NAME",
        help="a name or address that these are for, beside this machine's; repeatable",
    )
    for flag, text in (
        ("--tls-cert", "serve this certificate (PEM, with its chain) on gRPC and HTTP"),
        ("--tls-key", "its private key"),
        ("--tls-client-ca", "callers of gRPC and HTTP must show a certificate of this authority"),
        ("--proxy-tls-cert", "serve this certificate to proxies instead of one of the own authority"),
        ("--proxy-tls-key", "its private key"),
        ("--proxy-tls-client-ca", "proxies must show a certificate of this authority, not of the own one"),
    ):
        parser.add_argument(flag, type=Path, metavar="FILE", help=text)


def mistake(options: argparse.Namespace) -> str:
    """Return what does not fit together; empty when everything does."""
    if options.insecure and options.require_credentials:
        return "--insecure takes every call and --require-credentials none without one; choose"
    if options.insecure and options.two_person:
        return "--two-person needs to know who calls, and --insecure does not ask; choose"
    if not 0.1 <= options.node_certificate_hours <= 8760:
        return f"--node-certificate-hours must be from 0.1 to 8760, not {options.node_certificate_hours:g}"
    return ""


def settings_of(options: argparse.Namespace) -> AccessSettings:
    """Return the settings."""
    return AccessSettings(
        gate=GatePolicy(local_user=not options.require_credentials, anybody=options.insecure),
        open_metrics=options.open_metrics,
        proxy_grpc_address=options.proxy_grpc,
        reflection=options.reflection,
        two_person=options.two_person,
        node_certificate_hours=options.node_certificate_hours,
        key_file=Path(options.store_keys) if options.store_keys else None,
        audit_days=options.audit_days,
        tls=TlsSettings(
            own=options.tls,
            names=tuple(options.tls_name),
            cert_file=options.tls_cert,
            key_file=options.tls_key,
            client_ca_file=options.tls_client_ca,
            proxy_cert_file=options.proxy_tls_cert,
            proxy_key_file=options.proxy_tls_key,
            proxy_client_ca_file=options.proxy_tls_client_ca,
        ),
    )
