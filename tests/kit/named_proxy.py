"""A proxy whose names are in a file: `python -m tests.kit.named_proxy ...`, with the arguments of the proxy.

The file that the environment variable NAMES names holds JSON: `{"shop": ["127.0.0.1:50051"]}`. A name that is
not in it cannot be looked up.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from seawall_proxy.runtime import main, upstream_edge


async def from_file(host: str, port: int) -> list[str]:
    """Return what the file says of a name."""
    text = await asyncio.to_thread(Path(os.environ["NAMES"]).read_text)
    known: dict[str, list[str]] = json.loads(text)
    if host not in known:
        raise OSError(f"{host} is not in the file")
    return known[host]


if __name__ == "__main__":
    upstream_edge.ask_system = from_file
    sys.exit(main.main())
