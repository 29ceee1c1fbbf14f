"""`python -m seawall_proxy`."""

import sys

from seawall_proxy.runtime.main import main

sys.exit(main())
