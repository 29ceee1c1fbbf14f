"""Events that the fleet gives rise to: a policy that a proxy refused, two processes of one name."""

from __future__ import annotations

import logging

from seawall_control.domain.events import EventKind, Severity
from seawall_control.domain.fleet import ProxyRecord, bounded_reasons
from seawall_control.domain.subscription import Refused
from seawall_control.services.background import Background
from seawall_control.services.edge import derived_id
from seawall_control.services.events import EventService

_log = logging.getLogger("seawall.control.fleet")


class FleetEvents:
    """Reports them beside the streams, which must not wait for the store."""

    def __init__(self, events: EventService, background: Background) -> None:
        self._events = events
        self._background = background

    def two_of_a_name(self, node: str, older_run: str, newer_run: str) -> None:
        """Tell that two processes connect as one node."""
        self._background.start(
            self._events.report_own(
                component=f"proxy/{node}",
                error_type="duplicate_node",
                message=f"Two processes connect as node {node}; the newer one took over. "
                "Give every proxy its own node name.",
                severity=Severity.HIGH,
                event_id=derived_id("duplicate_node", node, older_run, newer_run),
                proxy=node,
            ),
            "seawall-event-duplicate-node",
        )

    def refused(self, proxy: ProxyRecord, refused: Refused) -> None:
        """Tell that a proxy refused a revision."""
        _log.warning(
            "policy refused",
            extra={"fields": {"node": proxy.node, "revision": refused.revision, "reasons": refused.reasons}},
        )
        reasons = bounded_reasons(refused.reasons)
        self._background.start(
            self._events.report_own(
                component=f"proxy/{proxy.node}",
                error_type="policy_rejected",
                message=f"Proxy {proxy.node} refused revision {refused.revision}: {reasons[0]}",
                severity=Severity.HIGH,
                kind=EventKind.POLICY_REJECTED,
                event_id=derived_id("policy_rejected", proxy.node, refused.hash),
                proxy=proxy.node,
                policy_revision=refused.revision,
                details={
                    "reasons": list(reasons),
                    "hash": refused.hash,
                    "policy_set": proxy.policy_set,
                },
            ),
            "seawall-event-policy-rejected",
        )
