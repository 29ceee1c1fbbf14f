"""The name that a proxy starts with."""

from __future__ import annotations

import pytest

from seawall_proxy.runtime.places import StartFailed, node_named


@pytest.mark.parametrize("name", ["../..", "/tmp/x", "a/../../../x", "a\nb", "\x1b[31mred", "a" * 10_000])
def test_a_name_that_leads_out_of_the_data_directory_ends_the_start(name: str) -> None:
    """It is said in one short line, in which nothing moves the cursor."""
    with pytest.raises(StartFailed, match="the node cannot be named") as failed:
        node_named(name, "host")
    assert len(str(failed.value)) < 400
    assert str(failed.value).isprintable()


def test_the_host_name_is_the_default() -> None:
    """And one that cannot be a name is refused with what to do."""
    assert node_named("", "shop-1.internal") == "shop-1.internal"
    assert node_named("n", "..") == "n"
    with pytest.raises(StartFailed, match="give it one with --node"):
        node_named("", "..")
