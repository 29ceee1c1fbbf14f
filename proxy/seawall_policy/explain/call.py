"""The explanation of one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seawall_policy.compile import compile_document
from seawall_policy.compile.inherit import resolve
from seawall_policy.compile.report import Report
from seawall_policy.explain.clusters import in_clusters
from seawall_policy.explain.explanation import Explanation
from seawall_policy.explain.policies import mechanisms
from seawall_policy.explain.routes import choose, destinations, idempotent, optional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seawall.v1 import policy_pb2
    from seawall_policy.descriptors import DescriptorSource


class NotUsable(ValueError):
    """The document has mistakes, which `compile_document` names."""


def explain(
    document: policy_pb2.PolicyDocument,
    method: str,
    metadata: Sequence[tuple[str, str]] = (),
    descriptors: DescriptorSource | None = None,
) -> Explanation:
    """Return what a call of `method` (`package.Service/Method`) with `metadata` gets.

    Raise NotUsable for a document with mistakes.
    """
    snapshot = compile_document(document, descriptors=descriptors).snapshot
    if snapshot is None:
        raise NotUsable("the document has mistakes")
    path = "/" + method.removeprefix("/")
    values: dict[bytes, list[bytes]] = {}
    for name, value in metadata:
        values.setdefault(name.encode(), []).append(value.encode())
    chosen, passed = choose(snapshot, path, values)
    if chosen is None:
        return Explanation(path[1:], "", passed)
    lineage = resolve(document.policies, Report())[chosen.policy.name]
    messages = {name: document.policies[name] for name in lineage.chain if name in document.policies}
    who = idempotent(snapshot, chosen, path)
    found, off = mechanisms(lineage, messages, chosen.policy, who)
    return Explanation(
        path[1:],
        chosen.name,
        passed,
        chosen.policy.name,
        lineage.chain,
        who,
        destinations(chosen),
        found,
        in_clusters(document, snapshot, chosen),
        off,
        optional(chosen),
    )
