"""Documents and journals, on every store."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seawall_control.domain.records import (
    MAX_BODY_BYTES,
    Append,
    Change,
    Delete,
    DocumentConflict,
    Put,
    broken_link,
)
from seawall_control.store.memory import MemoryStore
from seawall_control.store.port import Store


async def test_versions(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """A document's version grows by one, and a change that expects another one changes nothing. That is an
    answer to whoever asked and no fault of ours: the log has nothing of it.
    """
    first = (await store.commit([Put("rule", "a", "1", expected=0)], at_us=5)).documents[0]
    assert (first.version, first.body, first.update_time_us) == (1, "1", 5)
    with pytest.raises(DocumentConflict) as caught:
        await store.commit([Put("rule", "b", "0"), Put("rule", "a", "2", expected=0)], at_us=6)
    assert (caught.value.expected, caught.value.actual) == (0, 1)
    assert await store.document("rule", "b") is None
    assert (await store.commit([Put("rule", "a", "2", expected=1)], at_us=7)).documents[0].version == 2
    await store.commit([Delete("rule", "a", expected=2)], at_us=8)
    await store.commit([Delete("rule", "a")], at_us=8)
    with pytest.raises(DocumentConflict):
        await store.commit([Delete("rule", "a", expected=2)], at_us=9)
    assert (await store.commit([Put("rule", "a", "3")], at_us=9)).documents[0].version == 1
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_pages(store: Store) -> None:
    """Documents come by name, a kind at a time."""
    await store.commit([Put("rule", name, "{}") for name in ("b", "a", "C", "ä")], at_us=1)
    await store.commit([Put("other", "x", "{}")], at_us=1)
    assert [d.name for d in await store.documents("rule")] == ["C", "a", "b", "ä"]
    assert [d.name for d in await store.documents("rule", after="a", limit=1)] == ["b"]
    assert await store.documents("none") == []


async def test_journal(store: Store) -> None:
    """Entries are numbered and chained by topic; trimming keeps the newest, and numbers go on."""
    for at in range(1, 6):
        await store.commit([Append("audit", f'"{at}"'), Append("alerts", "0")], at_us=at)
    entries = await store.entries("audit", oldest_first=True)
    assert [(e.number, e.time_us, e.body) for e in entries] == [(n, n, f'"{n}"') for n in range(1, 6)]
    assert broken_link(entries) is None
    assert broken_link([*entries[:2], replace(entries[2], body='"0"'), *entries[3:]]) is not None
    assert broken_link([*entries[:2], *entries[3:]]) is not None
    assert [e.number for e in await store.entries("audit", before=4, limit=2)] == [3, 2]
    assert [e.number for e in await store.entries("audit", after=3, oldest_first=True)] == [4, 5]
    assert await store.trim("audit", keep=2, before_us=10) == 3
    assert await store.trim("audit", keep=0, before_us=10) == 1
    made = (await store.commit([Append("audit", "{}")], at_us=11)).entries[0]
    assert made.number == 6
    left = await store.entries("audit", oldest_first=True)
    assert [e.number for e in left] == [5, 6]
    assert broken_link(left) is None
    assert len(await store.entries("alerts")) == 5


@pytest.mark.parametrize(
    "change",
    [
        Put("k", "n", "x" * (MAX_BODY_BYTES + 1)),
        Put("k", "", "{}"),
        Append("\0", "{}"),
        Delete("k" * 201, "n"),
    ],
    ids=["too long", "no name", "zero", "long name"],
)
async def test_records_that_no_store_takes(store: Store, change: Change) -> None:
    """They are refused, and the rest of their commit with them."""
    with pytest.raises(ValueError, match="record"):
        await store.commit([Append("t", "{}"), change], at_us=1)
    assert await store.entries("t") == []


NAMES = st.sampled_from(["a", "b"])
EXPECTED = st.sampled_from([None, None, 0, 1, 2])
CHANGES = st.lists(
    st.one_of(
        st.builds(Put, NAMES, NAMES, st.sampled_from(["1", "2"]), EXPECTED),
        st.builds(Delete, NAMES, NAMES, EXPECTED),
        st.builds(Append, NAMES, st.sampled_from(["1", "2"])),
    ),
    max_size=4,
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(commits=st.lists(CHANGES, max_size=6))
async def test_like_the_reference(store: Store, commits: list[list[Change]]) -> None:
    """Whatever is committed, a store says the same as the reference."""
    model = MemoryStore()
    for kind in "ab":
        await store.commit([Delete(kind, name) for name in "ab"], at_us=0)
        start = await store.entries(kind, limit=1)
        for entry in start:
            model._journals[kind] = [entry]
    for at, changes in enumerate(commits):
        answers: list[object] = []
        for one in (store, model):
            try:
                answers.append(await one.commit(changes, at_us=at))
            except DocumentConflict as error:
                answers.append(str(error))
        assert answers[0] == answers[1]
    for kind in "ab":
        assert list(await store.documents(kind)) == list(await model.documents(kind))
        expected = await model.entries(kind, limit=100)
        assert list(await store.entries(kind, limit=len(expected))) == list(expected)
