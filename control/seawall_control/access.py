"""Access, put together: who may call, with which credentials, on which listeners."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from seawall.v1 import admin_access_pb2_grpc, enrolment_pb2_grpc
from seawall_control.api import roles
from seawall_control.api.access import AccessServicer
from seawall_control.api.enrolment import EnrolmentServicer
from seawall_control.api.gate import Gate, GatePolicy
from seawall_control.api.grpc_server import GrpcServer
from seawall_control.api.interceptor import AccessInterceptor
from seawall_control.api.local_user import Sight
from seawall_control.api.registry import Registry
from seawall_control.domain.access import MethodAccess
from seawall_control.listening import (
    AUTHORITY_FOLDER,
    ListenRefused,
    Protection,
    TlsSettings,
    check_exposure,
    is_exposed,
)
from seawall_control.services import audit_head
from seawall_control.services.audit import AuditLog
from seawall_control.services.audit_head import HeadFile
from seawall_control.services.authorities import Authorities
from seawall_control.services.authority import utc
from seawall_control.services.authority_rotation import AuthorityRotation
from seawall_control.services.background import Background
from seawall_control.services.edge import Clock
from seawall_control.services.enrolment import (
    CertificateCredentials,
    EnrolmentCredentials,
    EnrolmentService,
    run_tidy,
)
from seawall_control.services.keyring import FILE_NAME as KEYS_FILE
from seawall_control.services.keyring import Keyring
from seawall_control.services.requests import Requests
from seawall_control.services.store_keys import Reseal, StoreKeys
from seawall_control.services.tokens import TokenService
from seawall_control.store.port import RecordStore

FLEET: Final = "seawall.v1.FleetService"
ENROLMENT: Final = "seawall.v1.EnrolmentService"

_log = logging.getLogger("seawall.control")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSettings:
    """What the control plane is told about access."""

    gate: GatePolicy = field(default_factory=GatePolicy)
    """Who is let in without a credential."""
    open_metrics: bool = False
    """Whether /metrics asks for no credential."""
    tls: TlsSettings = field(default_factory=TlsSettings)
    proxy_grpc_address: str = ""
    """`host:port` where proxies connect; empty: where everybody does."""
    reflection: bool = False
    """Whether gRPC reflection is served where other machines can reach it; on loopback it always is."""
    two_person: bool = False
    """Whether policies are changed by those alone who approve what somebody else has proposed."""
    node_certificate_hours: float = 168.0
    """How long a proxy's certificate is valid; it is renewed at half of that."""
    key_file: Path | None = None
    """Keys of the store; default is a file beside the authority's."""
    audit_days: float = 365.0
    """Entries of the audit journal older than this are deleted; 0 keeps them for ever."""


def store_keys(settings: AccessSettings, store: RecordStore, clock: Clock, data_dir: Path) -> StoreKeys:
    """Return the keys of a store, as far as their file has them."""
    path = settings.key_file or data_dir / AUTHORITY_FOLDER / KEYS_FILE
    return StoreKeys(store, Keyring(path), clock)


def check_listeners(settings: AccessSettings, grpc: str, http: str) -> None:
    """Raise `ListenRefused` for a listener that is refused as it is wanted, before anything is opened."""
    tls, insecure = settings.tls, settings.gate.anybody
    for mistake in tls.mistakes():
        raise ListenRefused(mistake)
    check_exposure(grpc, "--grpc", tls=tls.serves, insecure=insecure)
    check_exposure(http, "--http", tls=tls.serves, insecure=insecure)
    if settings.proxy_grpc_address:
        address = settings.proxy_grpc_address
        check_exposure(address, "--proxy-grpc", tls=tls.serves_proxies, insecure=insecure)


class Access:
    """Credentials, gate and TLS. Raise `TlsMistake` or `AuthorityUnusable` for what cannot be."""

    def __init__(  # noqa: PLR0913 - who may call, by what, and what hangs on it
        self,
        settings: AccessSettings,
        store: RecordStore,
        clock: Clock,
        background: Background,
        *,
        data_dir: Path,
        grpc: str,
        http: str,
        dismiss: Callable[[str], None],
        keys: StoreKeys,
        reseal: Reseal,
        ages: Clock,
    ) -> None:
        """`grpc` and `http` are the listeners' addresses; `dismiss` ends the stream of a node; `reseal` seals
        all secrets anew; `ages` is what time it is for what is deleted.
        """
        self._ages = ages
        self.settings = settings
        self._clock = clock
        tls, proxies = settings.tls, settings.proxy_grpc_address
        folder = data_dir / AUTHORITY_FOLDER
        self._authorities = Authorities(folder, utc(clock.now_us()))
        self.protection = Protection(
            tls, self._authorities, folder, clock, grpc=grpc, http=http, proxies=proxies
        )
        self._keys = keys
        self._reseal = reseal
        head = HeadFile(store, folder / audit_head.FILE_NAME)
        self.audit = AuditLog(store, clock, keys=keys.keys, head=head)
        self.tokens = TokenService(store, clock, background)
        self.enrolment = EnrolmentService(
            store,
            self._authorities,
            clock,
            dismiss,
            life=timedelta(hours=settings.node_certificate_hours),
        )
        self.rotation = AuthorityRotation(
            store, self._authorities, clock, self._reissue, own=tls.proxy_client_ca_file is None
        )
        self.gate = Gate(
            settings.gate,
            self.tokens,
            self.audit,
            clock,
            background,
            certificates=CertificateCredentials(self.enrolment, clock, own=tls.proxy_client_ca_file is None),
            enrolments=EnrolmentCredentials(self.enrolment, clock),
            requests=Requests(store, clock),
        )

    def add_services(self, served: Registry) -> Mapping[str, MethodAccess]:
        """Register the services of access; return what every registered method asks of its callers."""
        served.add(
            admin_access_pb2_grpc.add_AccessServiceServicer_to_server,
            AccessServicer(
                self.tokens, self.enrolment, self.rotation, self.audit, self._keys, self._reseal, self._clock
            ),
        )
        served.add(
            enrolment_pb2_grpc.add_EnrolmentServiceServicer_to_server, EnrolmentServicer(self.enrolment)
        )
        return roles.table(served.services)

    def grpc_server(self, served: Registry, methods: Mapping[str, MethodAccess], address: str) -> GrpcServer:
        """Return the server for people and programs, and for proxies that have no port of their own. Raise
        RuntimeError when the address is taken.
        """
        tls = self.protection.admin
        return GrpcServer(
            served,
            address,
            AccessInterceptor(self.gate, methods),
            credentials=tls.grpc_credentials() if tls else None,
            without=(FLEET,) if self.settings.proxy_grpc_address else (),
            reflects=self.settings.reflection or not is_exposed(address),
        )

    def proxy_server(self, served: Registry, methods: Mapping[str, MethodAccess]) -> GrpcServer | None:
        """Return the server for proxies, if they have a port of their own. Raise as `grpc_server`."""
        address = self.settings.proxy_grpc_address
        if not address:
            return None
        tls = self.protection.proxies
        return GrpcServer(
            served,
            address,
            AccessInterceptor(self.gate, methods, takes_certificates=tls is not None),
            credentials=tls.grpc_credentials() if tls else None,
            only=(FLEET, ENROLMENT),
        )

    def loops(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """Return what has to run beside, by name."""
        found: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "authority": lambda: self._authorities.run(self._clock, self._reissue),
            "enrolment-tidy": lambda: run_tidy(self.enrolment, self._ages),
        }
        found["requests-tidy"] = lambda: self.gate.requests.run_tidy(self._ages)
        found["audit-tallies"] = self.audit.run_tallies
        if self.settings.audit_days > 0:
            found["audit-trim"] = lambda: self.audit.run_trim(self._ages, days=self.settings.audit_days)
        if self.audit.head is not None:
            found["audit-head"] = self.audit.head.run
        for number, followed in enumerate(self.protection.followed):
            found[f"tls-files-{number}"] = followed.run
        if self.protection.own_certificate is not None:
            found["own-certificate"] = self.protection.own_certificate.run
        return found

    def _reissue(self) -> None:
        if self.protection.own_certificate is not None:
            self.protection.own_certificate.follow()

    def announce(self, *addresses: str) -> None:
        """Say in the log who may call."""
        gate = self.settings.gate
        if gate.anybody:
            _log.warning(
                "INSECURE: every call is taken from everybody (--insecure); whoever reaches %s may push "
                "policies, open breakers and make tokens",
                " or ".join(addresses),
            )
        elif not gate.local_user:
            _log.info("every call takes a token or a certificate")
        elif self.gate.users.sight is Sight.HIDDEN:
            _log.warning(
                "/proc/net/tcp cannot be read here, so nobody is taken for the local user, and every call "
                "takes a token; without one yet, start once with --insecure on loopback, and make it"
            )
        elif self.gate.users.sight is Sight.TELLS:
            _log.info(
                "without a token only the user that runs this process (and root) may call, on this machine"
            )
        else:
            _log.warning(
                "this system does not tell who is at the other end of a loopback connection: every local "
                "user may do everything; start with --require-credentials where that is not wanted"
            )
