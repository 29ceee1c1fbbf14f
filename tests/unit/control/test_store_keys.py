"""Keys of the store: the file, what is encrypted and sealed with them, and what happens without them."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from seawall_control.domain.audit import TOPIC, record_of
from seawall_control.domain.errors import PreconditionFailed
from seawall_control.domain.records import Append, Entry, broken_link, next_entry
from seawall_control.services.audit import AuditLog
from seawall_control.services.audit_head import HeadFile
from seawall_control.services.keyring import Keyring
from seawall_control.services.store_keys import StoreKeys
from seawall_control.services.vault import Unreadable, Vault
from seawall_control.store.memory import MemoryStore

SECRETS = {"secret": "hunter2", "url": "https://example.org/Ä"}


class Clock:
    """A clock that is set."""

    def now_us(self) -> int:
        """Return microseconds."""
        return 1_764_500_000_000_000

    def monotonic_s(self) -> float:
        """Return seconds."""
        return 5.0


async def nothing() -> int:
    """Seal nothing anew."""
    return 0


async def begun(store: MemoryStore, path: Path) -> StoreKeys:
    """Return the keys of a control plane that has started on a store."""
    keys = StoreKeys(store, Keyring(path), Clock())
    await keys.begin(nothing)
    return keys


async def test_the_first_start_makes_a_key(tmp_path: Path) -> None:
    """For its owner only; the next start has the same, and the store knows it without knowing it."""
    store, path = MemoryStore(), tmp_path / "authority" / "store.keys"
    first = await begun(store, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = first.keys.current
    assert key is not None and first.keys.problem == ""
    again = await begun(store, path)
    assert again.keys.current == key
    texts = [document.body for document in await store.documents("key")]
    assert texts and not any(key.raw.hex() in text or key.derived("secrets").hex() in text for text in texts)
    assert "raw" not in repr(key) and key.raw.hex() not in repr(key)


async def test_secrets_open_where_they_belong(tmp_path: Path) -> None:
    """And nowhere else: not in another document, not changed, not with another key."""
    keys = (await begun(MemoryStore(), tmp_path / "a.keys")).keys
    vault = Vault(keys)
    sealed = vault.sealed("alert-channel", "ops", SECRETS)
    assert "hunter2" not in json.dumps(sealed)
    assert vault.opened("alert-channel", "ops", sealed) == SECRETS
    assert vault.sealed("alert-channel", "ops", SECRETS)["text"] != sealed["text"]
    for kind, name in (("alert-channel", "other"), ("other", "ops")):
        with pytest.raises(Unreadable, match="do not open"):
            vault.opened(kind, name, sealed)
    for field in ("wrapped", "text"):
        damaged = sealed | {field: ("A" if sealed[field][20] != "A" else "B").join(
            (sealed[field][:20], sealed[field][21:]))}  # fmt: skip
        with pytest.raises(Unreadable, match="do not open"):
            vault.opened("alert-channel", "ops", damaged)
    with pytest.raises(Unreadable, match="do not open"):
        vault.opened("alert-channel", "ops", {"key": sealed["key"], "wrapped": "!", "text": ""})
    other = Vault((await begun(MemoryStore(), tmp_path / "b.keys")).keys)
    with pytest.raises(Unreadable, match="restore that file"):
        other.opened("alert-channel", "ops", sealed)


async def test_a_lost_file_is_not_replaced_by_itself(tmp_path: Path) -> None:
    """The start says so, nothing is sealed with another key, and the file that comes back is used."""
    store, path = MemoryStore(), tmp_path / "store.keys"
    vault = Vault((await begun(store, path)).keys)
    sealed = vault.sealed("k", "n", SECRETS)
    kept = path.read_bytes()
    path.unlink()
    keys = await begun(store, path)
    assert not path.exists() and keys.keys.current is None and keys.keys.seal is None
    assert "the store was written with key k2025" in keys.keys.problem
    with pytest.raises(PreconditionFailed, match="secrets cannot be stored"):
        Vault(keys.keys).sealed("k", "n", SECRETS)
    with pytest.raises(Unreadable):
        Vault(keys.keys).opened("k", "n", sealed)
    with pytest.raises(PreconditionFailed, match="accept-loss"):
        await keys.rotate(nothing, prepare_only=False, accept_loss=False)
    path.write_bytes(kept)
    assert Vault(keys.keys).opened("k", "n", sealed) == SECRETS
    assert keys.keys.problem == ""


async def test_the_file_of_another_store_is_not_used(tmp_path: Path) -> None:
    """Nor one whose key was exchanged under its name."""
    store = MemoryStore()
    mine = await begun(store, tmp_path / "mine.keys")
    await begun(MemoryStore(), tmp_path / "other.keys")
    keys = await begun(store, tmp_path / "other.keys")
    assert "is of another store" in keys.keys.problem and keys.keys.current is None
    body = json.loads((tmp_path / "mine.keys").read_text())
    name = body["current"]
    body["keys"][name] = "A" * 43 + "="
    (tmp_path / "forged.keys").write_text(json.dumps(body))
    keys = await begun(store, tmp_path / "forged.keys")
    assert f"key {name} of" in keys.keys.problem and keys.keys.current is None
    assert mine.keys.current is not None


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"format": 1, "keys": {}, "current": "x", "sealed_from": 1}']
)
async def test_a_damaged_file_is_said(tmp_path: Path, body: str) -> None:
    """The control plane starts; the file is left as it is."""
    path = tmp_path / "store.keys"
    path.write_text(body)
    keys = await begun(MemoryStore(), path)
    assert "is damaged" in keys.keys.problem
    assert path.read_text() == body
    path.write_text('{"format": 2}')
    assert "newer version" in Keyring(path).problem


async def test_two_control_planes_that_start_at_once_have_one_key(tmp_path: Path) -> None:
    """The second to come hears that the first has made the store's key, and where to copy it from."""
    store = MemoryStore()
    one, two = (StoreKeys(store, Keyring(tmp_path / f"{n}.keys"), Clock()) for n in (1, 2))
    known = await two._known()
    assert not known
    await one.begin(nothing)
    await two._first("first")
    assert "is of another store" in two.keys.problem and two.keys.current is None
    (tmp_path / "2.keys").write_bytes((tmp_path / "1.keys").read_bytes())
    assert two.keys.current == one.keys.current


async def test_rotation(tmp_path: Path) -> None:
    """The new key is for what is sealed now, the old one opens what was; another control plane that shares
    the file has it at once, and a prepared one is taken by the next rotation.
    """
    store, path = MemoryStore(), tmp_path / "store.keys"
    keys, neighbour = await begun(store, path), await begun(store, path)
    old = keys.keys.current
    sealed = Vault(keys.keys).sealed("k", "n", SECRETS)
    done = await keys.rotate(nothing, prepare_only=False, accept_loss=False)
    new = keys.keys.current
    assert old is not None and new is not None and new.name == done.name != old.name
    assert Vault(keys.keys).opened("k", "n", sealed) == SECRETS
    assert not Vault(keys.keys).is_current(sealed)
    fresh = Vault(keys.keys).sealed("k", "n", SECRETS)
    assert Vault(neighbour.keys).opened("k", "n", fresh) == SECRETS
    prepared = await keys.rotate(nothing, prepare_only=True, accept_loss=False)
    assert keys.keys.current == new
    assert (await keys.rotate(nothing, prepare_only=False, accept_loss=False)).name == prepared.name
    assert [key.is_current for key in await keys.known()].count(True) == 1
    assert all(key.is_here for key in await keys.known())


async def test_beginning_anew_without_the_file(tmp_path: Path) -> None:
    """An admin may say that what was lost is lost: there is a key again, and the old file is put aside."""
    store, path = MemoryStore(), tmp_path / "store.keys"
    first = await begun(store, path)
    lost = first.keys.current
    path.write_text("damaged")
    keys = await begun(store, path)
    await keys.rotate(nothing, prepare_only=False, accept_loss=True)
    assert keys.keys.current is not None and keys.keys.current != lost
    assert (tmp_path / "store.keys.unusable").read_text() == "damaged"
    assert (await begun(store, path)).keys.current == keys.keys.current
    assert lost is not None
    assert {key.name: key.is_here for key in await keys.known()}[lost.name] is False


# ------------------------------------------------------------------------------------------------- the audit


async def journal(store: MemoryStore, keys: StoreKeys, path: Path, number: int) -> AuditLog:
    """Return a log with entries."""
    log = AuditLog(store, Clock(), keys=keys.keys, head=HeadFile(store, path / "audit.head"))
    for at in range(number):
        await log.write(record_of(None, f"/m{at}"))
    return log


def rewritten(entries: list[Entry], at: int, body: str, *, seals: bool) -> list[Entry]:
    """Return what somebody makes of a journal who changes an entry and every link after it."""
    found: list[Entry] = []
    for entry in entries:
        append = Append(TOPIC, body if entry.number == at else entry.body)
        made = next_entry(found[-1] if found else None, append, entry.time_us)
        chain = f"{entry.chain.partition(':')[0]}:{made.chain}" if seals else made.chain
        found.append(Entry(TOPIC, made.number, made.time_us, made.body, chain))
    return found


@pytest.mark.parametrize("seals", [True, False])
async def test_a_journal_is_not_made_anew_unseen(tmp_path: Path, seals: bool) -> None:
    """Who can write to the store and not read the key file can not make links that hold."""
    store = MemoryStore()
    keys = await begun(store, tmp_path / "store.keys")
    log = await journal(store, keys, tmp_path, 6)
    good = await log.verify()
    assert (good.problem, good.entries, good.sealed) == ("", 6, 6)
    forged = rewritten(store._journals[TOPIC], 3, '{"actor":"mallory"}', seals=seals)
    if not seals:
        assert broken_link(forged) is None, "without seals this would be a whole chain"
    store._journals[TOPIC] = forged
    found = await log.verify()
    assert found.broken is not None and found.broken.number == 1
    assert found.problem.startswith("entry 1 was changed" if seals else "entry 1 has no seal")


async def test_entries_from_before_the_key_may_be_without_a_seal(tmp_path: Path) -> None:
    """A journal that is older than the key goes on with it; after that an entry without a seal is noticed."""
    store = MemoryStore()
    old = AuditLog(store, Clock())
    for at in range(3):
        await old.write(record_of(None, f"/old{at}"))
    keys = await begun(store, tmp_path / "store.keys")
    log = await journal(store, keys, tmp_path, 2)
    found = await log.verify()
    assert (found.problem, found.entries, found.sealed) == ("", 5, 2)
    await old.write(record_of(None, "/slipped-in"))
    found = await log.verify()
    assert found.problem == "entry 6 has no seal: it was written without the key of this store"
    assert found.last == 5


async def test_seals_of_older_keys_hold(tmp_path: Path) -> None:
    """After a rotation, and as long as the file has the key."""
    store = MemoryStore()
    keys = await begun(store, tmp_path / "store.keys")
    log = await journal(store, keys, tmp_path, 2)
    await keys.rotate(nothing, prepare_only=False, accept_loss=False)
    await log.write(record_of(None, "/after"))
    assert (await log.verify()).problem == ""
    names = {entry.chain.partition(":")[0] for entry in store._journals[TOPIC]}
    assert len(names) == 2
    elsewhere = AuditLog(store, Clock(), keys=(await begun(MemoryStore(), tmp_path / "b.keys")).keys)
    assert "is sealed with key" in (await elsewhere.verify()).problem


async def test_an_end_that_is_cut_off_is_missed(tmp_path: Path) -> None:
    """The newest entry is written down outside of the store, and is not written over when it is missing."""
    store = MemoryStore()
    keys = await begun(store, tmp_path / "store.keys")
    log = await journal(store, keys, tmp_path, 5)
    assert log.head is not None
    await log.head.follow()
    await log.write(record_of(None, "/later"))
    assert (await log.verify()).problem == ""
    kept = store._journals[TOPIC]
    store._journals[TOPIC] = kept[:3]
    assert (await log.verify()).problem.startswith("the journal ends at entry 3, and entry 5 was written")
    await log.head.follow()
    assert log.head.read() is not None and log.head.read().number == 5  # type: ignore[union-attr]
    for at in range(4):
        await log.write(record_of(None, f"/covers{at}"))
    assert "entry 5 is not the one that was written" in (await log.verify()).problem
    store._journals[TOPIC] = kept[5:]
    assert (await log.verify()).problem == "", "what was deleted by age is not missed"
