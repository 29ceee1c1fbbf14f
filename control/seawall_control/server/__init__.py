"""The composition root of the control plane.

settings.py is what it is told, services.py puts the use cases together over a store, registration.py names
the gRPC services that they answer, listeners.py opens the ports, beside.py lists what runs beside the calls;
plane.py starts and stops it all, running.py is its life in a process.
"""

from seawall_control.domain.errors import StoreRefused
from seawall_control.server.listeners import AddressInUse
from seawall_control.server.plane import ControlPlane
from seawall_control.server.running import (
    EXIT_OK,
    EXIT_PART_ENDED,
    EXIT_STORE_FAILED,
    Stop,
    look_for_cycles_seldom,
    run_control,
)
from seawall_control.server.settings import Addresses, ControlSettings, version

__all__ = [
    "EXIT_OK",
    "EXIT_PART_ENDED",
    "EXIT_STORE_FAILED",
    "AddressInUse",
    "Addresses",
    "ControlPlane",
    "ControlSettings",
    "Stop",
    "StoreRefused",
    "look_for_cycles_seldom",
    "run_control",
    "version",
]
