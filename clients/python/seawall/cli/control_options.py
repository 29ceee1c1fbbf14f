"""Options of `seawall control` that are handed on as they are: access, listeners, what is kept, the log."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_FLAGS: Final[tuple[tuple[str, str], ...]] = (
    (
        "--require-credentials",
        "Take no call without a token, not even from the user that runs this process.",
    ),
    ("--insecure", "Take every call from everybody: whoever reaches the ports may do everything."),
    ("--two-person", "A change of a policy is proposed by one person and approved by another."),
    ("--reflection", "Serve gRPC reflection to viewers also where other machines can reach the port."),
    ("--open-metrics", "Let everybody read /metrics, without a token."),
    ("--tls", "Serve TLS with certificates of the own authority."),
    ("--retention-archive", "Archive resolved events whose days are over, once a day; do not delete them."),
)
_VALUES: Final[tuple[tuple[str, str, str], ...]] = (
    ("--proxy-grpc", "ADDR", "gRPC for proxies alone; with TLS they show certificates there."),
    ("--tls-name", "NAME", "A name or address of the own certificates, beside this machine's; repeatable."),
    ("--tls-cert", "FILE", "Serve this certificate (PEM, with its chain) on gRPC and HTTP."),
    ("--tls-key", "FILE", "Its private key."),
    ("--tls-client-ca", "FILE", "Callers of gRPC and HTTP must show a certificate of this authority."),
    ("--proxy-tls-cert", "FILE", "Serve this certificate to proxies, not one of the own authority."),
    ("--proxy-tls-key", "FILE", "Its private key."),
    ("--proxy-tls-client-ca", "FILE", "Proxies must show a certificate of this authority, not the own."),
    ("--node-certificate-hours", "HOURS", "How long a proxy's certificate is valid; default 168."),
    ("--store-keys", "FILE", "Keys of the store, made at the first start; default authority/store.keys."),
    ("--audit-days", "DAYS", "Delete audit entries older than this; default 365, 0 keeps them."),
    (
        "--retention",
        "SEVERITY=DAYS",
        "Age at which resolved events of one severity are deleted, such as low=7; repeatable.",
    ),
    (
        "--retention-muted-days",
        "DAYS",
        "Delete unresolved events of muted groups older than this; default 0 keeps them.",
    ),
    (
        "--max-store-mb",
        "MB",
        "Delete the oldest resolved events while the store is larger than this; default 0: no bound.",
    ),
    (
        "--group-rate",
        "NUMBER",
        "Events a second stored of one group in the long run, default 1; others are counted; 0 stores all.",
    ),
    ("--group-burst", "NUMBER", "Events of a group that are stored at once, default 200."),
    (
        "--health-unresolved",
        "NUMBER",
        "Health is degraded while more events are unresolved, default 10; 0: however many.",
    ),
    (
        "--health-recent",
        "NUMBER",
        "Health is degraded when more events came within 24 hours, default 20; 0: however many.",
    ),
    ("--log-level", "LEVEL", "debug, info, warning or error; default info."),
)


def handed_on_options(command: F) -> F:
    """Add the options; the command gets what was given as `handed_on`, by flag."""

    @wraps(command)
    def wrapped(*args: Any, **named: Any) -> Any:
        handed_on: dict[str, list[str]] = {}
        for flag, _ in _FLAGS:
            if named.pop(_parameter(flag)):
                handed_on[flag] = [""]
        for flag, _, _ in _VALUES:
            values = named.pop(_parameter(flag))
            if values:
                handed_on[flag] = list(values)
        return command(*args, handed_on=handed_on, **named)

    found: Any = wrapped
    for flag, metavar, text in reversed(_VALUES):
        found = click.option(flag, metavar=metavar, multiple=True, help=text)(found)
    for flag, text in reversed(_FLAGS):
        found = click.option(flag, is_flag=True, help=text)(found)
    result: F = found
    return result


def _parameter(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")
