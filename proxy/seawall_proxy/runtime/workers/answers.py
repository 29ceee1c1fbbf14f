"""What a worker answers when the front asks for a page: its own part, to be merged with the others'."""

from __future__ import annotations

import json
from typing import Final

from seawall_proxy.runtime.data_plane import DataPlane

STATUS: Final = "status"
METRICS: Final = "metrics"
INTERNALS: Final = "internals"


async def page_of(data: DataPlane, page: str) -> bytes:
    """Return a worker's part of a page: JSON, or for the metrics a scrape page."""
    if page == METRICS:
        return (await data.metrics()).encode("utf-8")
    if page == INTERNALS:
        return json.dumps(await data.internals()).encode("utf-8")
    return json.dumps(await data.status()).encode("utf-8")
