"""A test kit: the proxy's data path between scripted clients and upstreams, in memory and in virtual time.

`Playbook` is where a test begins. Everything below the sockets is the real thing: HTTP/2 connections on
both ends, the call machine, breakers, budgets, clusters. Only transports, the clock and the dice are ours.
"""

from __future__ import annotations

from seawall_proxy.testing.playbook import Playbook, PlaybookMismatch, unfinished
from seawall_proxy.testing.policies import make_policy, make_route, make_snapshot

__all__ = ["Playbook", "PlaybookMismatch", "make_policy", "make_route", "make_snapshot", "unfinished"]
