"""A playbook that was begun and never ended has proved nothing, so it fails its test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from seawall_proxy.testing import unfinished


@pytest.fixture(autouse=True)
def _playbooks_are_played_to_the_end() -> Iterator[None]:
    """Fail a test that leaves a playbook open."""
    yield
    left = unfinished()
    assert not left, f"{len(left)} playbook(s) were never ended: use `with Playbook(...) as play:`"
