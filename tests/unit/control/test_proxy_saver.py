"""States of proxies reach the store, also one that was away for a while."""

from __future__ import annotations

import asyncio

from seawall_control.domain.errors import StoreUnavailable
from seawall_control.domain.fleet import ProxyRecord
from seawall_control.services.background import Background
from seawall_control.services.proxy_saver import ProxySaver
from seawall_control.store.memory import MemoryStore


class Away(MemoryStore):
    """A store that can be away."""

    away = True
    asked = 0

    async def remember(self, record: ProxyRecord) -> None:
        """See `FleetStore.remember`."""
        self.asked += 1
        if self.away:
            raise StoreUnavailable("the store is away")
        await super().remember(record)


def record(node: str, version: str) -> ProxyRecord:
    """Return the state of a proxy."""
    return ProxyRecord(node=node, version=version, labels={}, policy_set="default")


async def settled(background: Background) -> None:
    """Wait for what was begun."""
    for _ in range(20):
        await asyncio.sleep(0)
    await background.aclose(1.0)


async def test_what_could_not_be_stored_is_stored_later() -> None:
    """The next round stores the state that is the newest then; meanwhile nobody asks again and again."""
    store, background = Away(), Background()
    known = {node: record(node, "1") for node in ("a", "b")}
    saver = ProxySaver(store, background, known)
    for node in known:
        saver.changed(node)
    await settled(background)
    assert store.asked == 2 and not await store.proxies()
    known["a"] = record("a", "2")
    store.away = False
    saver.save_soon()
    await settled(background)
    assert {proxy.node: proxy.version for proxy in await store.proxies()} == {"a": "2", "b": "1"}
    saver.save_soon()
    await settled(background)
    assert store.asked == 4
