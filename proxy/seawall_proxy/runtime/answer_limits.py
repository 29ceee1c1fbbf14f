"""How large the header lists of answers may be: as large as the largest that a listener takes in requests.

What an operator lets clients send, a service may well send back (metadata that is echoed, tokens, traces).
The limits of connections to endpoints are one object for the whole worker, since clusters are not tied to
listeners.
"""

from __future__ import annotations

from collections.abc import Iterable

from seawall_policy.listener_limits import ListenerLimits
from seawall_proxy.http2.limits import Limits


def widen_answers(upstream: Limits, listeners: Iterable[ListenerLimits]) -> None:
    """Raise what answers may measure to what requests may; never lower it."""
    for limits in listeners:
        upstream.header_list_bytes = max(upstream.header_list_bytes, limits.header_list_bytes)
        upstream.header_block_bytes = max(upstream.header_block_bytes, limits.header_block_bytes)
        upstream.header_count = max(upstream.header_count, limits.header_count)
        upstream.continuation_frames = max(upstream.continuation_frames, limits.continuation_frames)
