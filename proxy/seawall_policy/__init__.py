"""Decisions without clocks, dice or wires: each module decides one thing and is told the time."""

from seawall_policy import _native

_native.activate()  # before any other module of the package: it decides whether the compiled ones are seen
