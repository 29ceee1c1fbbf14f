"""`python -m seawall_control`."""

from __future__ import annotations

import sys

from seawall_control.main import main

sys.exit(main())
