"""The stable form of tokens and audit entries under `-o json`; the rules are those of `shapes`."""

from __future__ import annotations

from seawall.cli.shapes import Shape, time, word
from seawall.v1 import admin_access_pb2, options_pb2


def token(item: admin_access_pb2.Token) -> Shape:
    """Return a token; a secret is never part of it."""
    return {
        "name": item.name,
        "id": item.id,
        "roles": [word(options_pb2.Role, role, "ROLE_") for role in item.roles],
        "created": time(item.create_time),
        "created_by": item.creator,
        "owner": item.owner,
        "expires": time(item.expire_time),
        "last_used": time(item.last_use_time),
        "policy_sets": list(item.policy_sets),
    }


def certificate(item: admin_access_pb2.NodeCertificate) -> Shape:
    """Return a proxy's certificate."""
    return {
        "node": item.node,
        "serial": item.serial,
        "created": time(item.create_time),
        "expires": time(item.expire_time),
        "revoked": time(item.revoke_time),
    }


def rotation(found: admin_access_pb2.AuthorityRotation) -> Shape:
    """Return where a change of the authority is."""
    phase = admin_access_pb2.AuthorityPhase.Name(found.phase).removeprefix("AUTHORITY_PHASE_").lower()
    return {
        "phase": phase,
        "fingerprint": found.fingerprint,
        "next_fingerprint": found.next_fingerprint,
        "renewed": found.renewed_count,
        "behind": [certificate(item) for item in found.behind],
        "behind_count": found.behind_count,
    }


def audit_entry(item: admin_access_pb2.AuditEntry) -> Shape:
    """Return an entry of the audit journal."""
    return {
        "number": item.number,
        "time": time(item.time),
        "actor": item.actor,
        "actor_kind": item.actor_kind,
        "roles": list(item.roles),
        "credential": item.credential,
        "address": item.address,
        "method": item.method,
        "resource": dict(sorted(item.resource.items())),
        "request_id": item.request_id,
        "outcome": item.outcome,
        "reason": item.reason,
        "result": dict(sorted(item.result.items())),
        "suppressed": item.suppressed,
        "call": item.call,
        "step": item.step,
        "changes": [{"what": c.what, "before": c.before, "after": c.after} for c in item.changes],
        "more_changes": item.more_changes,
        "chain": item.chain,
    }


def verified(found: admin_access_pb2.VerifyAuditResponse) -> Shape:
    """Return what a walk over the journal found."""
    return {
        "intact": found.intact,
        "entries": found.entries,
        "first": found.first,
        "last": found.last,
        "head": found.head,
        "broken": found.broken or None,
        "sealed": found.sealed,
        "problem": found.problem,
    }


def keys(found: admin_access_pb2.ListKeysResponse) -> Shape:
    """Return the keys of the store."""
    return {
        "keys": [{"name": k.name, "current": k.current, "available": k.available} for k in found.keys],
        "file": found.file,
        "problem": found.problem,
    }
