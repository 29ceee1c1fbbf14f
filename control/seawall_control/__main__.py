"""`python -m seawall_control`."""

from __future__ import annotations

import os
import sys

# What gRPC's core says of a handshake or of an address in use is said by us where it matters, and its lines
# have a form of their own, which readers of --log json cannot read. It asks when it is first imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from seawall_control.main import main

sys.exit(main())
