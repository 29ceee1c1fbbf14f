"""A proxy that many tests share, since they leave nothing behind in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.stand import Proxy, Stand


@pytest.fixture(scope="module")
def shared_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """Give a proxy with one upstream, retries off."""
    stand = Stand(tmp_path_factory.mktemp("shared"))
    try:
        _, address = stand.upstream()
        document = {
            "clusters": [{"name": "up", "endpoints": [address]}],
            "policies": {"p": {"timeout": "30s", "breaker": {"mode": "off"}}},
            "routes": [{"name": "all", "match": {}, "cluster": "up", "policy": "p"}],
        }
        yield stand.proxy(stand.policy(document))
    finally:
        stand.close()
