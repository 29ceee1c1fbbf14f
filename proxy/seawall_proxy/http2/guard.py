"""Budgets that tell when a peer's legal behaviour becomes abuse.

A `TokenBucket` for each kind of odd or costly act: what stays within burst and rate is only counted, what
exceeds it ends the connection with ENHANCE_YOUR_CALM. Told apart on purpose:

- A reset is *premature* only if the stream was younger than `premature_age_s` and its call had not reached an
  upstream (`Stream.reached_upstream`): a client that cancels a thousand calls at its own deadline is no
  attacker (rapid reset, CVE-2023-44487). Stream errors the peer provokes have a budget of their own
  (CVE-2025-8671), a smaller one: no client in order ever causes one.
- PRIORITY and WINDOW_UPDATE frames are glitches only above 100 x (1 + streams) and 5 + 2 x (streams + 10 x
  DATA frames sent), Envoy's formulas. A PING is charged only if nothing moved since the last one, as peers
  that estimate the bandwidth-delay product ping once each round trip; a server may also hold pings against
  an interval (gRFC A8).
"""

from __future__ import annotations

from typing import Final

from seawall_proxy.http2.errors import ENHANCE_YOUR_CALM, ConnectionFault
from seawall_proxy.http2.limits import Limits

PREMATURE_SAMPLE: Final = 2000
"""Streams to see before the share of premature ones is judged; above one half closes the connection.

Envoy judges after 500. A gRPC client that cancels 500 calls at once, of which 100 may be open, opens the
other 400 as the first ones end, only to reset them: it must not be taken for an attacker.
"""


class TokenBucket:
    """Allow `burst` acts at once and `rate_per_s` in the long run."""

    def __init__(self, burst: int, rate_per_s: float) -> None:
        self._burst: float = float(burst)
        self._rate: float = rate_per_s
        self._tokens: float = float(burst)
        self._at: float = 0.0

    def take(self, now: float) -> bool:
        """Spend one token; False if there is none."""
        elapsed = now - self._at
        if elapsed > 0.0:
            self._tokens = min(self._burst, self._tokens + elapsed * self._rate)
            self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class Guard:
    """Count what a peer does and raise ConnectionFault(ENHANCE_YOUR_CALM) when a budget is spent."""

    def __init__(self, limits: Limits) -> None:
        self._limits: Limits = limits
        self._resets: TokenBucket = TokenBucket(limits.reset_burst, limits.reset_rate_per_s)
        self._errors: TokenBucket = TokenBucket(limits.stream_error_burst, limits.stream_error_rate_per_s)
        self._glitches: TokenBucket = TokenBucket(limits.glitch_burst, limits.glitch_rate_per_s)
        self._refused: TokenBucket = TokenBucket(limits.refused_burst, limits.refused_rate_per_s)
        self._control: TokenBucket = TokenBucket(limits.control_burst, limits.control_rate_per_s)
        self._ping_mark: int = -1
        self._ping_strikes: int = 0
        self._pinged_at: float = -1e9
        self._empty_data_mark: int = 0
        self._empty_data_run: int = 0
        self._priorities: int = 0
        self._late_frames: int = 0
        self._window_updates: int = 0
        self.streams: int = 0
        """Streams that were opened."""
        self.data_frames_in: int = 0
        """DATA frames received with a payload."""
        self.premature_resets: int = 0
        self.stream_errors: int = 0
        self.refused_streams: int = 0
        self.glitches: int = 0
        self.replies_queued: int = 0
        self.trips: dict[str, int] | None = None
        """How often each limit tripped, by its name; None as long as none did."""

    def trip(self, limit: str) -> None:
        """Count a limit that was exceeded."""
        trips = self.trips
        if trips is None:
            trips = {}
            self.trips = trips
        trips[limit] = trips.get(limit, 0) + 1

    def reset_received(self, age_s: float, reached_upstream: bool, now: float) -> None:
        """Judge an RST_STREAM from a client."""
        if reached_upstream or age_s >= self._limits.premature_age_s:
            return
        self.premature_resets += 1
        if self.streams >= PREMATURE_SAMPLE and self.premature_resets * 2 > self.streams:
            raise ConnectionFault(ENHANCE_YOUR_CALM, "most streams were reset prematurely", "resets")
        if not self._resets.take(now):
            raise ConnectionFault(ENHANCE_YOUR_CALM, "too many premature resets", "resets")

    def stream_error(self, now: float) -> None:
        """Charge a stream error that the peer provoked."""
        self.stream_errors += 1
        if not self._errors.take(now):
            raise ConnectionFault(ENHANCE_YOUR_CALM, "too many stream errors", "stream_errors")

    def refused(self, now: float) -> None:
        """Charge a stream opened above the announced concurrency."""
        self.refused_streams += 1
        if not self._refused.take(now):
            raise ConnectionFault(
                ENHANCE_YOUR_CALM, "too many streams above the concurrency limit", "refused_streams"
            )

    def glitch(self, now: float) -> None:
        """Charge a frame that is legal, useless and not free."""
        self.glitches += 1
        if not self._glitches.take(now):
            raise ConnectionFault(ENHANCE_YOUR_CALM, "too many odd frames", "glitches")

    def reply(self) -> None:
        """Count a frame the peer makes us send; the count falls to zero when the output was accepted."""
        self.replies_queued += 1
        if self.replies_queued > self._limits.queued_replies:
            raise ConnectionFault(
                ENHANCE_YOUR_CALM, "peer provokes replies and does not read them", "queued_replies"
            )

    def ping(self, data_frames_sent: int, open_streams: int, now: float) -> None:
        """Charge a PING unless DATA moved, in either direction, or a stream was opened since the last one."""
        moved = self.data_frames_in + data_frames_sent + self.streams
        if moved == self._ping_mark:
            self._charge_control(now)
            if self._limits.ping_strikes >= 0:
                self._judge_ping(open_streams, now)
        self._ping_mark = moved
        self._pinged_at = now

    def _judge_ping(self, open_streams: int, now: float) -> None:
        """Hold a ping against its interval (gRFC A8), one that keeps it makes good for one that did not."""
        limits = self._limits
        interval = limits.ping_interval_busy_s if open_streams else limits.ping_interval_s
        if now - self._pinged_at >= interval:
            self._ping_strikes = max(0, self._ping_strikes - 1)
            return
        self._ping_strikes += 1
        if self._ping_strikes > limits.ping_strikes:
            # These words tell a gRPC client to ping half as often (gRFC A8).
            raise ConnectionFault(ENHANCE_YOUR_CALM, "too_many_pings", "pings")

    def settings(self, now: float) -> None:
        """Charge a SETTINGS frame."""
        self._charge_control(now)

    def _charge_control(self, now: float) -> None:
        if not self._control.take(now):
            raise ConnectionFault(ENHANCE_YOUR_CALM, "too many PING or SETTINGS frames", "control_frames")

    def empty_data(self, now: float) -> None:
        """Charge an empty DATA frame without END_STREAM when no payload came since the last ones."""
        if self.data_frames_in != self._empty_data_mark:
            self._empty_data_mark = self.data_frames_in
            self._empty_data_run = 0
        self._empty_data_run += 1
        if self._empty_data_run > self._limits.empty_data_frames:
            self.glitch(now)

    def priority(self, now: float) -> None:
        """Charge a PRIORITY frame above Envoy's formula."""
        self._priorities += 1
        if self._priorities > self._limits.priority_frames * (1 + self.streams):
            self.glitch(now)

    def late_frame(self, now: float) -> None:
        """Charge a frame on a closed stream once there are more of them than crossing in flight explains."""
        self._late_frames += 1
        if self._late_frames > 10 * (1 + self.streams):
            self.glitch(now)

    def window_update(self, data_frames_sent: int, now: float) -> None:
        """Charge a WINDOW_UPDATE frame above Envoy's formula."""
        self._window_updates += 1
        if self._window_updates > 5 + 2 * (self.streams + self._limits.window_updates * data_frames_sent):
            self.glitch(now)
