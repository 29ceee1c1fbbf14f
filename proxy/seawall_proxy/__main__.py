"""`python -m seawall_proxy`."""

import os
import sys

# What gRPC's core says of the link to the control plane we say ourselves, in a form that readers of
# --log json can read; it asks for this when it is first imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from seawall_proxy.runtime.main import main

sys.exit(main())
