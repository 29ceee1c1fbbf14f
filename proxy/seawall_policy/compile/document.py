"""From a policy document to the snapshot that the data path reads, or to everything that is wrong with it.

The document is read once, every value where it was written, so that a mistake is reported once and at its
source; the policies are then read again with everything that they extend, which by then holds no mistakes of
its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from seawall.v1 import policy_pb2
from seawall_policy import fieldpath
from seawall_policy.compile import codes
from seawall_policy.compile.access_log import read_access_log
from seawall_policy.compile.addresses import address_mistake
from seawall_policy.compile.admin import read_admin
from seawall_policy.compile.breakers import lint_breaker_scopes, read_breaker
from seawall_policy.compile.classifying import read_classifier
from seawall_policy.compile.clusters import check_name, read_clusters
from seawall_policy.compile.fallback_lints import lint_route, lint_steps
from seawall_policy.compile.fallbacks import MissingDescriptor, StaticEncoder, check_names, read_fallbacks
from seawall_policy.compile.faults import check_fault, read_fault
from seawall_policy.compile.hedge_lints import lint_attempts, lint_hedged_routes
from seawall_policy.compile.hedges import read_deadline, read_hedge
from seawall_policy.compile.inherit import Lineage, resolve
from seawall_policy.compile.keys import lint_idempotency, read_idempotency, read_recovered_after
from seawall_policy.compile.limit_lints import lint_limits, lint_optional_routes
from seawall_policy.compile.limits import read_limit, read_rate_limit
from seawall_policy.compile.lints import lint_merged, lint_own, lint_routes, lint_unused
from seawall_policy.compile.listeners import read_listeners
from seawall_policy.compile.members import check_word
from seawall_policy.compile.policies import read_timeouts
from seawall_policy.compile.process import check_process
from seawall_policy.compile.report import Report, Violation
from seawall_policy.compile.retries import read_retry
from seawall_policy.compile.routes import Place, read_routes
from seawall_policy.compile.scope import Scope
from seawall_policy.descriptors import DescriptorSource
from seawall_policy.model import ClusterSpec, Policy, Snapshot
from seawall_policy.names import NODE_RULE, is_node_name
from seawall_policy.suggest import quoted

VERSION: Final = "v1"

MAX_POLICIES: Final = 2_000

BOOTSTRAP_FIELDS: Final = (
    "listeners",
    "control",
    "admin",
    "descriptor_files",
    "workers",
    "overload",
    "access_log",
    "serve",
    "zone",
)
"""What only the proxy's own file decides; no part of a revision's identity."""


@dataclass(frozen=True, slots=True)
class CompileResult:
    """What became of a document."""

    snapshot: Snapshot | None
    """None exactly when there is a violation that is no warning."""
    violations: tuple[Violation, ...]
    missing: tuple[MissingDescriptor, ...]
    """Static answers that wait for descriptors: compile again once they are known."""


def digest(document: policy_pb2.PolicyDocument) -> str:
    """Return the SHA-256 of a document without its bootstrap parts, in hexadecimal."""
    stripped = policy_pb2.PolicyDocument()
    stripped.CopyFrom(document)
    for name in BOOTSTRAP_FIELDS:
        stripped.ClearField(name)
    return hashlib.sha256(stripped.SerializeToString(deterministic=True)).hexdigest()


def compile_document(
    document: policy_pb2.PolicyDocument,
    *,
    revision: int = 0,
    descriptors: DescriptorSource | None = None,
    wall_s: float | None = None,
) -> CompileResult:
    """Compile a document; all violations are reported, and `descriptors` are used beside the document's
    own set. With the time in Unix seconds, what is over or far ahead is told as well.
    """
    report = Report()
    top = Scope(report, "")
    _check_top(top, document)
    source = _descriptors(top / "descriptor_set", document, descriptors)
    listeners = frozenset(spec.address for spec in read_listeners(top / "listeners", document.listeners))
    clusters = read_clusters(top / "clusters", document.clusters, listeners)
    lineages = _lineages(top / "policies", document, report)
    policies = _policies(top / "policies", document, lineages, clusters, wall_s)
    places = read_routes(top / "routes", document.routes, clusters, policies)
    encoder = StaticEncoder(source)
    for place in places:
        check_names(place.scope, place.route, source)
        lint_route(place.scope, place.route, source, unread=source.empty and bool(document.descriptor_files))
        encoder.encode(place.route, _fallback_owner(top / "policies", place, document, lineages), place.scope)
    methods = source.methods()
    safe = frozenset(path for path, info in methods.items() if info.idempotent)
    lint_routes(places, lineages, document.policies, safe)
    lint_hedged_routes(places, lineages, document.policies, clusters, safe)
    lint_optional_routes(places)
    lint_unused(top, document)
    lint_breaker_scopes(places, document.policies, document.clusters)
    snapshot = None
    if report.errors == 0:
        routes = tuple(place.route for place in places)
        snapshot = Snapshot(revision, digest(document), routes, clusters, methods)
    return CompileResult(snapshot, report.violations(), tuple(encoder.missing))


def _check_top(top: Scope, document: policy_pb2.PolicyDocument) -> None:
    if document.version != VERSION:
        said = (
            f"{quoted(document.version)} is no known version; "
            if document.version
            else "the version is missing; "
        )
        (top / "version").error(codes.BAD_VERSION, f"{said}write `version: {VERSION}`")
    _check_newer(top.report, "", document)
    if document.extends:
        (top / "extends").error(
            codes.NOT_WRITTEN_OUT,
            f"the document extends policy set {quoted(document.extends)}, which a control plane writes out: "
            "apply it there (`seawall apply`), or check it with `seawall lint --base FILE`; a proxy's own "
            "file must be whole",
        )
    if document.HasField("admin"):
        read_admin(top / "admin", document.admin)
    check_word(top / "zone", document.zone, "zone")
    if document.HasField("control"):
        _check_control(top / "control", document.control)
    read_access_log(top / "access_log", document)
    check_process(top, document)


def _check_control(scope: Scope, control: policy_pb2.ControlLink) -> None:
    mistake = address_mistake(control.target, lowest_port=1)
    if not control.target:
        (scope / "target").error(
            codes.MISSING, "say where the control plane is; add `target: 127.0.0.1:9090`"
        )
    elif mistake:
        (scope / "target").error(codes.BAD_ADDRESS, f"{quoted(control.target)} {mistake}")
    enrols = address_mistake(control.enrol_target, lowest_port=1) if control.enrol_target else ""
    if enrols:
        (scope / "enrol_target").error(codes.BAD_ADDRESS, f"{quoted(control.enrol_target)} {enrols}")
    if bool(control.tls.cert_file) != bool(control.tls.key_file):
        (scope / "tls").error(
            codes.MISSING, "a client certificate takes both files; add `cert_file` and `key_file`"
        )
    if control.tls.cert_file and control.enrol_token_file:
        (scope / "enrol_token_file").error(
            codes.EXCLUSIVE, "the proxy has a certificate already, in `tls`; remove one of the two"
        )
    if control.node and not is_node_name(control.node):
        (scope / "node").error(codes.BAD_NAME, f"{quoted(control.node)} is no node name; use {NODE_RULE}")
    if control.policy_set and not _is_name(control.policy_set):
        (scope / "policy_set").error(
            codes.BAD_NAME,
            f"{quoted(control.policy_set)} is no name; use letters, digits, `_`, `-`, `.` and `/`",
        )


def _is_name(name: str) -> bool:
    quiet = Report()
    return check_name(Scope(quiet, ""), name, "name")


def _check_newer(report: Report, path: str, message: Message) -> None:
    """Report fields that this version does not know: what cannot be carried out is refused, not ignored."""
    unknown = UnknownFieldSet(message)
    if len(unknown):
        numbers = ", ".join(
            str(number) for number in sorted({unknown[i].field_number for i in range(len(unknown))})[:5]
        )
        report.error(
            path,
            codes.NEWER,
            f"{message.DESCRIPTOR.name} has settings that this version does not know (field {numbers}); "
            "upgrade it or remove them",
        )
    for field, value in message.ListFields():
        if field.message_type is None or not field.message_type.full_name.startswith("seawall."):
            continue
        here = fieldpath.member(path, field.name)
        if field.message_type.GetOptions().map_entry:
            _check_newer_entries(report, here, value)
        elif field.is_repeated:
            for index, element in enumerate(value):
                _check_newer(report, fieldpath.item(here, index), element)
        else:
            _check_newer(report, here, value)


def _check_newer_entries(report: Report, path: str, entries: Mapping[str, object]) -> None:
    for key, element in sorted(entries.items()):
        if isinstance(element, Message):
            _check_newer(report, fieldpath.member(path, key), element)


def _descriptors(
    scope: Scope, document: policy_pb2.PolicyDocument, given: DescriptorSource | None
) -> DescriptorSource:
    own = DescriptorSource([document.descriptor_set])
    for problem in own.problems:
        scope.error(codes.BAD_DESCRIPTORS, problem)
    if given is None or given.empty:
        return own
    if own.empty:
        return given
    return DescriptorSource([document.descriptor_set, given.file_descriptor_set()])


def _lineages(scope: Scope, document: policy_pb2.PolicyDocument, report: Report) -> dict[str, Lineage]:
    if len(document.policies) > MAX_POLICIES:
        scope.error(
            codes.TOO_MANY, f"has {len(document.policies)} policies; at most {MAX_POLICIES} are allowed"
        )
        return resolve({}, report)
    for name in sorted(document.policies):
        if name.startswith("builtin/"):
            (scope / name).error(
                codes.RESERVED_NAME,
                f"{quoted(name)} is reserved; choose a name without `builtin/`, and extend it",
            )
        elif not _is_name(name):
            (scope / name).error(
                codes.BAD_NAME,
                f"{quoted(name)} is no name; use letters, digits, `_`, `-`, `.` and `/`, at most 128",
            )
    return resolve(document.policies, report)


def _policies(
    scope: Scope,
    document: policy_pb2.PolicyDocument,
    lineages: Mapping[str, Lineage],
    clusters: Mapping[str, ClusterSpec],
    wall_s: float | None,
) -> dict[str, Policy]:
    for name, own in sorted(document.policies.items()):
        _read_policy(scope / name, name, own, clusters)
    quiet = Scope(Report(), "")
    compiled: dict[str, Policy] = {}
    for name, lineage in lineages.items():
        compiled[name] = _read_policy(quiet, name, lineage.merged, clusters)
        if name in document.policies:
            check_fault(scope / name, document.policies[name], lineage.merged, wall_s)
            lint_own(scope / name, document.policies[name])
            lint_merged(scope / name, document.policies[name], lineage, compiled[name])
            lint_attempts(scope / name, document.policies[name], lineage, compiled[name])
            lint_idempotency(scope / name, document.policies[name], lineage)
            if document.policies[name].fallback:
                lint_steps(scope / name, compiled[name].fallback)
            lint_limits(scope / name, document.policies[name], lineage.merged, compiled[name])
    return compiled


def _read_policy(
    scope: Scope, name: str, policy: policy_pb2.Policy, clusters: Mapping[str, ClusterSpec]
) -> Policy:
    total_s, each_s = read_timeouts(scope, policy)
    return Policy(
        name,
        total_s,
        each_s,
        read_retry(scope, policy),
        read_breaker(scope, policy),
        read_fallbacks(scope, policy, clusters),
        read_classifier(scope, policy),
        deadline=read_deadline(scope, policy),
        hedge=read_hedge(scope, policy),
        idempotency=read_idempotency(scope, policy),
        recovered_after=read_recovered_after(scope, policy),
        fault=read_fault(scope, policy),
        limit=read_limit(scope, policy),
        rate_limit=read_rate_limit(scope, policy),
    )


def _fallback_owner(
    scope: Scope, place: Place, document: policy_pb2.PolicyDocument, lineages: Mapping[str, Lineage]
) -> Scope:
    """Return the place of the policy that wrote the fallbacks which this route's policy has, perhaps by
    inheritance.
    """
    for name in lineages[place.route.policy.name].chain:
        if name in document.policies and document.policies[name].fallback:
            return scope / name
    return scope / place.route.policy.name
