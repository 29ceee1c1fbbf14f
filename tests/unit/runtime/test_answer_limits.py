"""What answers may measure follows what requests may."""

from __future__ import annotations

from seawall_policy.listener_limits import ListenerLimits
from seawall_proxy.http2.limits import Limits
from seawall_proxy.runtime.answer_limits import widen_answers


def test_the_largest_listener_decides() -> None:
    """Each limit is the largest of all listeners'."""
    upstream = Limits()
    widen_answers(
        upstream,
        [
            ListenerLimits(header_list_bytes=96 << 10, header_count=50),
            ListenerLimits(header_list_bytes=1024, header_count=200, header_block_bytes=80 << 10),
            ListenerLimits(continuation_frames=12),
        ],
    )
    assert upstream.header_list_bytes == 96 << 10
    assert upstream.header_count == 200
    assert upstream.header_block_bytes == 80 << 10
    assert upstream.continuation_frames == 12


def test_answers_are_never_narrowed() -> None:
    """A listener that takes less from strangers takes nothing from what an endpoint may say."""
    upstream = Limits()
    before = vars_of(upstream)
    widen_answers(upstream, [ListenerLimits(header_list_bytes=1024, header_count=10, continuation_frames=1)])
    assert vars_of(upstream) == before


def vars_of(limits: Limits) -> tuple[int, ...]:
    """Return what may change."""
    return (
        limits.header_list_bytes,
        limits.header_block_bytes,
        limits.header_count,
        limits.continuation_frames,
    )
