"""What goes on beside the calls for as long as the control plane does."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from seawall_control.server.services import Services
from seawall_control.services import group_watch, store_watch


def loops(uses: Services) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
    """Return the loops by name; none of them ends by itself."""
    return {
        "fleet": uses.fleet.run,
        "fleet-sharing": uses.sharing.run,
        "leadership": uses.leads.run,
        "rollouts": uses.rollouts.run,
        "feed": uses.feed.run,
        "healing": uses.healing.run,
        "operations": uses.operations.run,
        "settled-clock": lambda: uses.ages.run(uses.store, uses.leads),
        "retention": lambda: uses.retention.run(uses.leads),
        "groups": lambda: group_watch.run(uses.store, uses.notices, uses.grouping, uses.clock, uses.leads),
        "store-watch": lambda: store_watch.run(uses.store, uses.notices, uses.clock),
        "alert-deliveries": uses.alerting.deliverer.run,
        "alert-rules": uses.alerting.evaluator.run,
        "machine": uses.machine.run,
        "filling": uses.filling.run,
        "runs": lambda: uses.runs.run(uses.leads),
        **uses.access.loops(),
    }
