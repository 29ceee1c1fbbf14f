"""Every gRPC service that is served, with the use cases that answer it."""

from __future__ import annotations

from seawall.v1 import (
    admin_alerts_pb2_grpc,
    admin_analysis_pb2_grpc,
    admin_archives_pb2_grpc,
    admin_events_pb2_grpc,
    admin_fleet_pb2_grpc,
    admin_groups_pb2_grpc,
    admin_healing_pb2_grpc,
    admin_operations_pb2_grpc,
    admin_policies_pb2_grpc,
    admin_proposals_pb2_grpc,
    admin_rollouts_pb2_grpc,
    fleet_pb2_grpc,
)
from seawall_control.api.alerts import AlertServicer
from seawall_control.api.analysis import AnalysisServicer
from seawall_control.api.archives import ArchiveServicer
from seawall_control.api.events import EventServicer
from seawall_control.api.fleet import FleetServicer, serialised
from seawall_control.api.fleet_operations import FleetOperationServicer
from seawall_control.api.groups import GroupServicer
from seawall_control.api.healing import HealingServicer
from seawall_control.api.operations import OperationsServicer
from seawall_control.api.policies import PolicyServicer
from seawall_control.api.proposals import ProposalServicer
from seawall_control.api.registry import Registry
from seawall_control.api.rollouts import RolloutServicer
from seawall_control.server.services import Services


def register(uses: Services, version: str) -> Registry:
    """Return the services, without those of access, which `Access.add_services` adds."""
    found = Registry()
    found.add(
        fleet_pb2_grpc.add_FleetServiceServicer_to_server,
        FleetServicer(uses.fleet, uses.events, version, stats_interval_s=uses.settings.stats_interval_s),
    )
    found.serialise_with("seawall.v1.FleetService", "Connect", serialised)
    found.add(
        admin_policies_pb2_grpc.add_PolicyServiceServicer_to_server,
        PolicyServicer(uses.policies, uses.fleet),
    )
    found.add(
        admin_proposals_pb2_grpc.add_ProposalServiceServicer_to_server,
        ProposalServicer(uses.proposals, uses.policies),
    )
    found.add(
        admin_rollouts_pb2_grpc.add_RolloutServiceServicer_to_server,
        RolloutServicer(uses.rollouts, uses.clock),
    )
    found.add(
        admin_operations_pb2_grpc.add_FleetOperationServiceServicer_to_server,
        FleetOperationServicer(uses.operations),
    )
    found.add(
        admin_events_pb2_grpc.add_EventServiceServicer_to_server,
        EventServicer(uses.events, uses.event_views),
    )
    found.add(
        admin_groups_pb2_grpc.add_GroupServiceServicer_to_server,
        GroupServicer(uses.groups, uses.grouping),
    )
    found.add(
        admin_fleet_pb2_grpc.add_OperationsServiceServicer_to_server,
        OperationsServicer(uses.fleet, uses.health, version),
    )
    found.add(admin_healing_pb2_grpc.add_HealingServiceServicer_to_server, HealingServicer(uses.healing))
    found.add(
        admin_archives_pb2_grpc.add_ArchiveServiceServicer_to_server,
        ArchiveServicer(uses.archives, uses.clock),
    )
    found.add(
        admin_alerts_pb2_grpc.add_AlertServiceServicer_to_server,
        AlertServicer(uses.alerting.administration, uses.alerting.reading, uses.clock),
    )
    found.add(
        admin_analysis_pb2_grpc.add_AnalysisServiceServicer_to_server,
        AnalysisServicer(uses.analysis, uses.recovery, uses.clock),
    )
    return found
