"""Who leads does the periodic work, and nobody who cannot ask."""

from __future__ import annotations

import pytest

from seawall_control.services.leadership import Leadership
from seawall_control.store.memory import MemoryStore


class Asked(MemoryStore):
    """A store whose answer can be an error."""

    answer: bool | Exception = True

    async def leads(self) -> bool:
        """See `Changes.leads`."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_whoever_cannot_ask_does_not_lead() -> None:
    """An answer from before an error must not stand: another control plane may have the lead by then."""
    store = Asked()
    leads = Leadership(store)
    assert not leads()
    await leads.look()
    assert leads()
    store.answer = KeyError("of our own making")
    with pytest.raises(KeyError):
        await leads.look()
    assert not leads()
    store.answer = True
    await leads.look()
    assert leads()
