"""Names that no name server answers for hold up no other name, no connection and no end."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.kit import preloading
from tests.kit.processes import PATIENCE_S, ROOT, wait_until
from tests.kit.stand import Stand

pytestmark = pytest.mark.integration

SILENT = 6


async def test_names_that_nobody_answers_for(stand: Stand, served_by: Any) -> None:
    """Members are found by another name, a server that is named is connected to, and SIGTERM ends all."""
    library = preloading.built(ROOT / "tests" / "kit" / "silent_names.c", stand.folder)
    found = stand.upstream("a")[1]
    port = found.rpartition(":")[2]
    dns = {"interval": "1s", "min_interval": "100ms"}
    clusters: list[dict[str, Any]] = [
        {"name": f"silent-{number}", "target": f"dns:///n{number}.silent.test:1", "dns": dns}
        for number in range(SILENT)
    ]
    clusters.append({"name": "found", "target": f"dns:///localhost:{port}", "dns": dns})
    clusters.append({"name": "named", "endpoints": [f"localhost:{port}"]})
    config = {
        "clusters": clusters,
        "routes": [{"name": "all", "match": {}, "cluster": "named"}],
    }
    proxy = stand.proxy(stand.policy(config), env={"LD_PRELOAD": str(library)})

    def lookups(name: str) -> int:
        return int(proxy.status()["clusters"][name]["discovery"]["failures"])

    wait_until(lambda: all(lookups(f"silent-{n}") >= 2 for n in range(SILENT)), "nobody has answered")
    assert await served_by(proxy, 2) == {"a": 2}

    def members() -> list[str]:
        return [endpoint["address"] for endpoint in proxy.status()["clusters"]["found"]["endpoints"]]

    wait_until(lambda: found in members(), "localhost is looked up")
    proxy.child.process.send_signal(signal.SIGTERM)
    assert proxy.child.process.wait(PATIENCE_S) == 0
