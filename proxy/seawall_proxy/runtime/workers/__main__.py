"""`python -m seawall_proxy.runtime.workers`: a worker process. Started by a proxy, not by hand."""

from __future__ import annotations

import os
import socket
import sys

from seawall_proxy.runtime.main import configure_logging, run_on_loop
from seawall_proxy.runtime.places import StartFailed
from seawall_proxy.runtime.workers.child import work
from seawall_proxy.runtime.workers.handle import CHANNEL_VARIABLE


def main() -> int:
    """Work for the proxy at the other end of the inherited socket."""
    number = os.environ.pop(CHANNEL_VARIABLE, "")
    if not number.isdigit():
        sys.stderr.write("a worker is started by `seawall proxy --workers N`, not by hand\n")
        return 2
    configure_logging(sys.argv[1] if len(sys.argv) > 1 else "text")
    os.set_inheritable(int(number), False)
    try:
        run_on_loop(work(socket.socket(fileno=int(number))))
    except StartFailed as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
