"""What a client may do to a server: RFC 9113 and RFC 7541, group by group.

Groups are named by their sections of RFC 7540, as the public conformance suites name them; `generic` groups
hold what must work. Where RFC 9113 left a choice, the probe insists on ours.
"""

from __future__ import annotations

from tests.conformance.http2.probe_kit import Probe
from tests.conformance.http2.probes_frames import FRAMES
from tests.conformance.http2.probes_hpack import HPACK
from tests.conformance.http2.probes_messages import MESSAGES
from tests.conformance.http2.probes_streams import STARTING, STREAMS

PROBES: list[Probe] = [*STARTING, *STREAMS, *FRAMES, *MESSAGES, *HPACK]
