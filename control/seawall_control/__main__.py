"""`python -m seawall_control`."""

from __future__ import annotations

import sys

from seawall_control.logs import quiet_core

quiet_core()

from seawall_control.main import main  # noqa: E402 - gRPC asks when it is first imported

sys.exit(main())
