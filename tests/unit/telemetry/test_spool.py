"""The spool's single rules, on a real directory."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from seawall_proxy.telemetry import spool as spools
from seawall_proxy.telemetry.spool import Gap, Spool, SpoolBusy, SpoolLimits
from seawall_proxy.telemetry.spool.format import (
    MAX_PAYLOAD_BYTES,
    SegmentHeader,
    decode_header,
    encode_event,
    encode_skip,
    find_entry,
)
from seawall_proxy.telemetry.spool.mark import (
    SLOT_BYTES,
    SOFT_SLOT,
    MarkFile,
    MarkState,
    boot_digest,
    decode_mark,
)

SMALL = SpoolLimits(max_bytes=16384, max_age_s=100.0, segment_bytes=4096, sync_every=1000)
DICE = random.Random(7)


def open_spool(
    directory: Path, *, boot: str = "b1", now_s: float = 1000.0, limits: SpoolLimits = SMALL
) -> Spool:
    """Open a spool."""
    return Spool.open(directory, now_s=now_s, boot=boot, random_bytes=DICE.randbytes, limits=limits)


def kill(spool: Spool) -> None:
    """End the process that had the spool, without a word."""
    spool.abandon()


def segments(directory: Path) -> list[Path]:
    """Return the files in order of segments that are not wholly acknowledged."""
    return sorted(directory.glob("*.seg"))


def forget_soft_slot(directory: Path) -> None:
    """Take away what was not synced of the mark."""
    with (directory / "mark").open("r+b") as mark:
        mark.seek(SOFT_SLOT * SLOT_BYTES)
        mark.write(bytes(SLOT_BYTES))


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Return a way to make the next n calls of an os function fail with EIO."""

    def arm(name: str, times: int) -> None:
        real = getattr(os, name)
        left = [times]

        def call(*arguments: object) -> object:
            if left[0] > 0:
                left[0] -= 1
                raise OSError(5, "Input/output error")
            return real(*arguments)

        monkeypatch.setattr(os, name, call)

    return arm


def test_numbers_start_at_one_and_go_on_after_a_restart(tmp_path: Path) -> None:
    """A clean restart keeps identity, numbers and what was acknowledged."""
    spool = open_spool(tmp_path)
    identity = spool.spool_id
    assert len(bytes.fromhex(identity)) == 16
    assert spool.append([b"a", b"b"], 1000.0) == range(1, 3)
    spool.ack(1)
    spool.close()
    spool = open_spool(tmp_path, boot="b2")
    assert spool.spool_id == identity
    batch = spool.take(10, 1000)
    assert batch is not None
    assert (batch.events, batch.gaps, batch.through) == (((2, b"b"),), (), 2)
    assert spool.append([b"c"], 1000.0) == range(3, 4)
    assert repr(spool) == f"Spool({identity[:8]}: 1 acked of 3)"
    spool.close()


def test_take_is_bounded_by_events_and_bytes_and_does_not_move_on(tmp_path: Path) -> None:
    """At least one event is returned, and the same until it is acknowledged."""
    spool = open_spool(tmp_path)
    spool.append([b"x" * 100] * 5, 1000.0)
    for events, size, expected in ((2, 10_000, 2), (10, 250, 2), (10, 1, 1), (10, 10_000, 5)):
        batch = spool.take(events, size)
        assert batch is not None
        assert len(batch.events) == expected
        assert batch.through == expected
    spool.ack(5)
    assert spool.take(10, 10_000) is None
    spool.close()


def test_what_is_taken_is_on_the_disk(tmp_path: Path) -> None:
    """Nothing is sent that a power cut could make unsaid."""
    spool = open_spool(tmp_path)
    spool.append([b"a"], 1000.0)
    assert spool.status().unsynced == 1
    spool.take(1, 100)
    assert spool.status().unsynced == 0
    spool.close()


def test_acknowledgement_is_on_the_disk_before_its_segment_goes(tmp_path: Path) -> None:
    """After a power cut a number whose file is gone is acknowledged, not missing."""
    spool = open_spool(tmp_path)
    for _ in range(3):
        spool.append([b"x" * 3000], 1000.0)
    assert len(segments(tmp_path)) == 3
    spool.take(10, 1 << 20)
    spool.ack(2)
    assert len(segments(tmp_path)) == 1
    kill(spool)
    forget_soft_slot(tmp_path)
    spool = open_spool(tmp_path, boot="b2")
    batch = spool.take(10, 1 << 20)
    assert batch is not None
    assert [seq for seq, _ in batch.events] == [3]
    assert all(gap.first > 3 and gap.reason == spools.LOST_IN_CRASH for gap in batch.gaps)
    spool.close()


def fill(spool: Spool, events: int, now_s: float = 1000.0) -> None:
    """Append events of which one fills a segment, and acknowledge all of them."""
    for number in range(events):
        spool.append([bytes([number]) * 3000], now_s)
        spool.ack(spool.status().last)


@pytest.mark.parametrize("how", ["running", "restarted", "killed"])
def test_what_is_acknowledged_can_be_sent_again_for_a_while(tmp_path: Path, how: str) -> None:
    """A store that was put back to an older point gets what it lacks from the spool, also after a restart."""
    limits = replace(SMALL, max_bytes=65536)
    spool = open_spool(tmp_path, limits=limits)
    fill(spool, 3)
    spool.append([b"new"], 1001.0)
    if how != "running":
        spool.close() if how == "restarted" else kill(spool)
        spool = open_spool(tmp_path, limits=limits)
    batch = spool.take(10, 1 << 20)
    assert batch is not None
    assert ([seq for seq, _ in batch.events], batch.oldest) == ([4], 1)
    assert spool.rewind(1)
    assert not spool.rewind(1)
    again = spool.take(10, 1 << 20)
    assert again is not None
    assert again.events == ((2, b"\1" * 3000), (3, b"\2" * 3000), (4, b"new"))
    assert (again.gaps, again.oldest, spool.depth) == ((), 1, 3)
    kill(spool)
    spool = open_spool(tmp_path, limits=limits)
    assert spool.status().acked == 1
    spool.ack(4)
    assert spool.depth == 0
    spool.close()


def test_what_is_kept_goes_in_time_and_before_anything_that_waits(tmp_path: Path) -> None:
    """It is kept for as long as told, within its own bound, and gives way to what was not delivered yet."""
    limits = replace(SMALL, max_age_s=1000.0, keep_s=50.0, keep_bytes=8192)
    spool = open_spool(tmp_path, limits=limits)
    fill(spool, 4)
    status = spool.status()
    assert (status.segments, len([*tmp_path.glob("*.kept")])) == (1, 2)
    assert 6000 < status.kept_bytes < limits.keep_bytes
    spool.append([b"w" * 3000], 1010.0)
    spool.append([b"w" * 3000], 1010.0)
    assert (spool.status().kept_bytes, spool.status().dropped) == (0, {})
    spool.ack(6)
    assert spool.status().kept_bytes > 0
    spool.tick(1059.0)
    assert spool.status().kept_bytes > 0
    spool.tick(1061.0)
    assert (spool.status().kept_bytes, spool.status().acked) == (0, 6)
    spool.close()


def test_what_is_kept_is_not_sent_anew_when_the_mark_is_lost(tmp_path: Path) -> None:
    """A spool that begins anew takes over what was not acknowledged, and nothing that was as a whole."""
    spool = open_spool(tmp_path, limits=replace(SMALL, max_bytes=65536))
    fill(spool, 3)
    spool.append([b"new"], 1001.0)
    kill(spool)
    (tmp_path / "mark").unlink()
    spool = open_spool(tmp_path)
    batch = spool.take(10, 1 << 20)
    assert batch is not None
    assert [payload for _, payload in batch.events] == [b"\2" * 3000, b"new"]
    assert [*tmp_path.glob("*.kept")] == []
    spool.close()


def test_what_is_no_longer_kept_is_declared_when_it_is_asked_for(tmp_path: Path) -> None:
    """Going back further than there is anything makes a gap, and no number is sent twice or never."""
    spool = open_spool(tmp_path, limits=replace(SMALL, max_bytes=65536, keep_bytes=4096))
    fill(spool, 4)
    assert spool.rewind(0)
    batch = spool.take(10, 1 << 20)
    assert batch is not None
    sent = [seq for seq, _ in batch.events]
    assert sent and sent[-1] == 4
    assert batch.gaps == (Gap(1, sent[0] - 1, spools.CORRUPT),)
    spool.close()


def test_full_spool_drops_its_oldest_segment_and_says_so(tmp_path: Path) -> None:
    """The limit holds, the newest stay, the numbers of the dropped ones are a gap that survives a restart."""
    spool = open_spool(tmp_path)
    for number in range(8):
        spool.append([bytes([number]) * 3000], 1000.0)
    status = spool.status()
    assert status.bytes <= SMALL.max_bytes
    dropped = status.dropped[spools.SPOOL_FULL]
    assert dropped == 5
    for _ in range(2):
        batch = spool.take(20, 1 << 20)
        assert batch is not None
        assert batch.gaps == (Gap(1, dropped, spools.SPOOL_FULL),)
        assert [seq for seq, _ in batch.events] == list(range(dropped + 1, 9))
        kill(spool)
        spool = open_spool(tmp_path)
    spool.close()


def test_old_segments_expire_with_a_gap(tmp_path: Path) -> None:
    """Events older than the limit are dropped when the clock says so, and declared."""
    spool = open_spool(tmp_path)
    spool.append([b"old"], 1000.0)
    spool.append([b"new"], 1050.0)
    spool.tick(1099.0)
    assert spool.status().dropped == {}
    spool.tick(1101.0)
    assert spool.status().dropped == {spools.EXPIRED: 1}
    batch = spool.take(10, 1000)
    assert batch is not None
    assert batch.gaps == (Gap(1, 1, spools.EXPIRED),)
    assert [payload for _, payload in batch.events] == [b"new"]
    spool.close()


def test_skips_are_numbered(tmp_path: Path) -> None:
    """What was dropped before it came here is declared in its place, with its reason."""
    spool = open_spool(tmp_path)
    spool.append([b"a"], 1000.0)
    assert spool.skip(5, spools.RING_FULL, 1000.0) == range(2, 7)
    assert spool.skip(0, spools.RING_FULL, 1000.0) == range(0)
    spool.append([b"b"], 1000.0)
    spool.ack(3)
    batch = spool.take(10, 1000)
    assert batch is not None
    assert batch.gaps == (Gap(4, 6, spools.RING_FULL),)
    assert batch.events == ((7, b"b"),)
    spool.close()


def test_too_large_event_is_a_gap(tmp_path: Path) -> None:
    """An event beyond 64 KiB costs itself only."""
    spool = open_spool(tmp_path, limits=SpoolLimits())
    assert spool.append([b"a", bytes(MAX_PAYLOAD_BYTES + 1), b"b"], 1000.0) == range(1, 4)
    batch = spool.take(10, 1 << 20)
    assert batch is not None
    assert batch.gaps == (Gap(2, 2, spools.TOO_LARGE),)
    assert batch.events == ((1, b"a"), (3, b"b"))
    assert spool.status().dropped == {spools.TOO_LARGE: 1}
    spool.close()


def test_killed_process_loses_nothing(tmp_path: Path) -> None:
    """The kernel still has what was written: under the same boot the last number is exact."""
    spool = open_spool(tmp_path)
    spool.append([b"a"] * 3, 1000.0)
    kill(spool)
    spool = open_spool(tmp_path)
    assert spool.status().last == 3
    assert spool.status().dropped == {}
    spool.close()


def test_power_cut_never_gives_a_number_twice(tmp_path: Path) -> None:
    """Under another boot everything reserved counts as given out; what is not found is declared lost."""
    spool = open_spool(tmp_path)
    spool.append([b"a"], 1000.0)
    spool.sync()
    size = segments(tmp_path)[0].stat().st_size
    spool.append([b"b", b"c"], 1000.0)
    kill(spool)
    os.truncate(segments(tmp_path)[0], size)
    spool = open_spool(tmp_path, boot="b2")
    batch = spool.take(10, 1000)
    assert batch is not None
    assert batch.events == ((1, b"a"),)
    (gap,) = batch.gaps
    assert (gap.first, gap.reason) == (2, spools.LOST_IN_CRASH)
    assert gap.last >= 3
    assert spool.append([b"d"], 1000.0).start == gap.last + 1
    spool.close()


def test_torn_tail_is_cut(tmp_path: Path) -> None:
    """Half an entry at the end is removed at the next start."""
    spool = open_spool(tmp_path)
    spool.append([b"whole", b"torn" * 10], 1000.0)
    kill(spool)
    path = segments(tmp_path)[0]
    os.truncate(path, path.stat().st_size - 5)
    torn = path.stat().st_size
    spool = open_spool(tmp_path)
    assert path.stat().st_size < torn
    batch = spool.take(10, 1000)
    assert batch is not None
    assert batch.events == ((1, b"whole"),)
    assert batch.gaps == (Gap(2, 2, spools.LOST_IN_CRASH),)
    spool.close()


def test_damage_in_the_middle_costs_one_entry(tmp_path: Path) -> None:
    """The reader finds the next whole entry, and the damaged number is a gap."""
    spool = open_spool(tmp_path)
    spool.append([b"first", b"second", b"third"], 1000.0)
    path = segments(tmp_path)[0]
    data = bytearray(path.read_bytes())
    data[data.index(b"second") + 2] ^= 1
    path.write_bytes(data)
    batch = spool.take(10, 1000)
    assert batch is not None
    assert batch.events == ((1, b"first"), (3, b"third"))
    assert batch.gaps == (Gap(2, 2, spools.CORRUPT),)
    spool.close()


def test_payload_that_looks_like_an_entry_is_not_taken_for_one(tmp_path: Path) -> None:
    """Bytes in an event cannot become an event when the file is damaged: the salt is secret."""
    spool = open_spool(tmp_path)
    forged = encode_event(1, b"forged", 0)
    spool.append([forged, b"second"], 1000.0)
    path = segments(tmp_path)[0]
    data = bytearray(path.read_bytes())
    at = data.index(forged)
    data[at - 10] ^= 1
    path.write_bytes(data)
    batch = spool.take(10, 1000)
    assert batch is not None
    assert batch.events == ((2, b"second"),)
    spool.close()


@pytest.mark.parametrize("lost", ["content", "file"])
def test_lost_mark_begins_a_new_identity_and_keeps_the_events(tmp_path: Path, lost: str) -> None:
    """Without the mark nobody knows which numbers were given out: the old identity is not used again."""
    spool = open_spool(tmp_path)
    identity = spool.spool_id
    spool.append([b"a", b"b"], 1000.0)
    kill(spool)
    if lost == "file":
        (tmp_path / "mark").unlink()
    else:
        (tmp_path / "mark").write_bytes(b"garbage" * 3000)
    spool = open_spool(tmp_path)
    assert spool.spool_id != identity
    batch = spool.take(10, 1000)
    assert batch is not None
    assert [payload for _, payload in batch.events] == [b"a", b"b"]
    assert not list(tmp_path.glob("*.old"))
    spool.close()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """A second one is told, instead of both spoiling the files; after the first is closed it may."""
    spool = open_spool(tmp_path)
    with pytest.raises(SpoolBusy, match="its own node name"):
        open_spool(tmp_path)
    spool.close()
    open_spool(tmp_path).close()


def test_files_are_private(tmp_path: Path) -> None:
    """Directory 0700, files 0600."""
    spool = open_spool(tmp_path / "spool")
    spool.append([b"a"], 1000.0)
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
    for path in (tmp_path / "spool").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    spool.close()


def test_failed_sync_begins_a_new_segment_and_is_never_repeated(
    tmp_path: Path, broken: Callable[[str, int], None]
) -> None:
    """The file whose sync failed is not synced again; the spool says that it is degraded and goes on."""
    spool = open_spool(tmp_path)
    spool.append([b"a"], 1000.0)
    spool.sync()
    spool.append([b"b"], 1000.0)
    broken("fsync", 1)
    with pytest.raises(OSError, match="Input/output"):
        spool.sync()
    spool.append([b"c"], 1000.0)
    assert len(segments(tmp_path)) == 2
    status = spool.status()
    assert (status.sync_errors, status.degraded) == (1, True)
    batch = spool.take(10, 1000)
    assert batch is not None
    assert [payload for _, payload in batch.events] == [b"a", b"b", b"c"]
    spool.close()


def test_disk_that_takes_nothing_costs_counted_events(
    tmp_path: Path, broken: Callable[[str, int], None]
) -> None:
    """Refused writes are counted, and declared as soon as the disk takes them."""
    spool = open_spool(tmp_path)
    spool.append([b"a"], 1000.0)
    broken("write", 2)
    assert spool.append([b"b", b"c"], 1000.0) == range(0)
    assert spool.append([b"d"], 1000.0) == range(0)
    assert spool.append([b"e"], 1000.0) == range(5, 6)
    status = spool.status()
    assert (status.write_errors, status.degraded, status.dropped) == (2, True, {spools.DISK_ERROR: 3})
    batch = spool.take(10, 1000)
    assert batch is not None
    assert batch.events == ((1, b"a"), (5, b"e"))
    assert batch.gaps == (Gap(2, 4, spools.DISK_ERROR),)
    spool.close()


def test_what_cannot_be_taken_back_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Callable[[str, int], None]
) -> None:
    """A write leaves a part, and the disk does not cut it off either: what is there whole is delivered, the
    rest of its numbers is a gap, and nothing is declared once more as refused.
    """
    spool = open_spool(tmp_path)
    spool.append([b"a"], 1000.0)
    real = os.write

    def part(fd: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", real)
        real(fd, bytes(data)[: len(encode_event(2, b"b", 0)) + 3])
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "write", part)
    broken("ftruncate", 1)
    assert spool.append([b"b", b"c"], 1000.0) == range(2, 4)
    assert spool.append([b"d"], 1000.0) == range(4, 5)
    assert (spool.status().write_errors, spool.status().degraded) == (1, True)
    for _ in range(2):
        batch = spool.take(10, 1000)
        assert batch is not None
        assert batch.events == ((1, b"a"), (2, b"b"), (4, b"d"))
        assert batch.gaps == (Gap(3, 3, spools.CORRUPT),)
        kill(spool)
        spool = open_spool(tmp_path)
    spool.close()


def test_segment_that_stayed_empty_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a refused write the file is empty; begun again under its name, it counts once."""
    spool = open_spool(tmp_path)
    real = os.write
    sizes: list[int] = []

    def header_only(fd: int, data: bytes) -> int:
        sizes.append(len(data))
        if len(sizes) == 2:
            raise OSError(28, "No space left on device")
        return real(fd, data)

    monkeypatch.setattr(os, "write", header_only)
    assert spool.append([b"a"], 1000.0) == range(0)
    assert spool.append([b"b"], 1050.0) == range(2, 3)
    assert (spool.status().segments, len(segments(tmp_path))) == (1, 1)
    spool.close()


def test_acknowledgement_beyond_what_was_given_is_clamped(tmp_path: Path) -> None:
    """A confused peer cannot make us forget numbers that do not exist yet."""
    spool = open_spool(tmp_path)
    spool.append([b"a"], 1000.0)
    spool.ack(99)
    assert spool.status().acked == 1
    spool.append([b"b"], 1000.0)
    assert spool.depth == 1
    spool.ack(0)
    assert spool.depth == 1
    spool.close()


@pytest.mark.parametrize(
    "wrong",
    [{"segment_bytes": 100}, {"segment_bytes": 1 << 40}, {"max_age_s": 0.0}, {"sync_every": 0}],
)
def test_limits_are_checked(wrong: dict[str, float]) -> None:
    """A bound that cannot work is refused where it is made."""
    with pytest.raises(ValueError, match="spool"):
        SpoolLimits(**wrong)  # type: ignore[arg-type]


def test_header_round_trip_and_damage() -> None:
    """A header is what was written, and any changed bit makes it none."""
    header = SegmentHeader(bytes(range(16)), 77, 1234.5, 0xDEADBEEF)
    raw = header.encode()
    assert decode_header(raw) == header
    for at in range(len(raw)):
        assert decode_header(raw[:at] + bytes([raw[at] ^ 4]) + raw[at + 1 :]) is None
        assert decode_header(raw[:at]) is None


def test_entries_round_trip_and_damage() -> None:
    """Any changed bit of an entry makes the reader go on to the next one."""
    first, second = encode_event(5, b"payload", 9), encode_skip(6, 4, "why", 9)
    data = first + second
    entry = find_entry(data, 0, 9, 1, 100)
    assert entry is not None
    assert (entry.seq, entry.payload, entry.end) == (5, b"payload", len(first))
    for at in range(len(first)):
        damaged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        entry = find_entry(damaged, 0, 9, 1, 100)
        assert entry is not None
        assert (entry.seq, entry.through, entry.reason) == (6, 9, "why")
    assert find_entry(data, 0, 8, 1, 100) is None
    assert find_entry(data, 0, 9, 10, 100) is None


def test_mark_writes_its_slots_in_turn(tmp_path: Path) -> None:
    """A torn write of the newest slot leaves the one before."""
    mark = MarkFile(tmp_path / "mark")
    boot = boot_digest("b1")
    for generation in (1, 2, 3):
        mark.save(MarkState(spool_id=bytes(16), boot=boot, generation=generation, reserved=generation * 10))
    mark.close()
    raw = (tmp_path / "mark").read_bytes()
    slots = [decode_mark(raw[at * SLOT_BYTES : (at + 1) * SLOT_BYTES]) for at in range(2)]
    assert {slot.generation for slot in slots if slot} == {2, 3}
    with (tmp_path / "mark").open("r+b") as file:
        file.seek(SLOT_BYTES)
        file.write(bytes(SLOT_BYTES))
        file.write(bytes(SLOT_BYTES))
    state = MarkFile(tmp_path / "mark").load(boot)
    assert state is not None
    assert (state.generation, state.last) == (2, 20)


def test_why_room_was_made_is_as_new_as_for_what(tmp_path: Path) -> None:
    """When the newest synced slot is damaged, what was noted beside it says both."""
    mark = MarkFile(tmp_path / "mark")
    boot = boot_digest("b1")
    old = MarkState(spool_id=bytes(16), boot=boot, generation=1, last=9, reserved=10)
    new = replace(old, generation=2, dropped_through=5, drop_reason=1)
    for state in (old, new):
        mark.save(state)
    mark.note(new)
    mark.close()
    with (tmp_path / "mark").open("r+b") as file:
        file.write(bytes(SLOT_BYTES))
    state_now = MarkFile(tmp_path / "mark").load(boot)
    assert state_now is not None
    assert (state_now.dropped_through, state_now.drop_reason) == (5, 1)


def test_unknown_boot_equals_no_other() -> None:
    """Where the kernel does not say which boot it is, the reservation is trusted, not the note."""
    assert boot_digest("") == bytes(16)
    assert boot_digest("a") != boot_digest("b")


def test_the_age_of_what_waits(tmp_path: Path) -> None:
    """Of events, not of the file that they are in; also of those that an earlier run left."""
    spool = open_spool(tmp_path)
    assert spool.status().age_s(1000.0) == 0.0
    spool.append([b"a"], 1000.0)
    spool.append([b"b"], 1003.0)
    assert spool.status().age_s(1090.0) == 90.0
    spool.ack(1)
    assert spool.status().age_s(1090.0) == 87.0
    kill(spool)
    spool = open_spool(tmp_path, now_s=1100.0)
    assert spool.status().age_s(1100.0) == 100.0
    spool.ack(2)
    assert spool.status().age_s(1100.0) == 0.0
    spool.close()


def test_the_age_of_what_is_asked_for_again(tmp_path: Path) -> None:
    """It waits since it was spooled, as if it had never been acknowledged: not since the newest came."""
    spool = open_spool(tmp_path, limits=replace(SMALL, max_bytes=1 << 20, max_age_s=1e6))
    for at_s in (1000.0, 1010.0, 1020.0):
        spool.append([bytes(3000)], at_s)
    spool.append([b"d"], 1080.0)
    spool.ack(3)
    assert spool.status().age_s(1090.0) == 10.0
    assert spool.rewind(1)
    assert spool.status().age_s(1090.0) == 80.0
    spool.ack(2)
    assert spool.status().age_s(1090.0) == 70.0
    spool.ack(3)
    assert spool.status().age_s(1090.0) == 10.0
    spool.ack(4)
    assert spool.status().age_s(1090.0) == 0.0
    assert spool.rewind(0)
    assert spool.status().age_s(1090.0) == 90.0
    spool.close()


def test_what_is_kept_can_be_sent_again_after_restarts(tmp_path: Path) -> None:
    """Also the newest of it, when nothing else was there at the start."""
    spool = open_spool(tmp_path)
    spool.append([b"a"], 1000.0)
    kill(spool)
    spool = open_spool(tmp_path)
    spool.ack(1)
    assert [path.suffix for path in sorted(tmp_path.glob("0*"))] == [".kept"]
    kill(spool)
    spool = open_spool(tmp_path)
    spool.append([b"b"], 1000.0)
    assert spool.rewind(0)
    batch = spool.take(10, 1000)
    assert batch is not None
    assert (batch.events, batch.gaps) == (((1, b"a"), (2, b"b")), ())
    spool.close()
