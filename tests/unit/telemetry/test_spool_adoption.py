"""What a spool whose mark is lost leaves to the next one in its directory."""

from __future__ import annotations

from pathlib import Path

from tests.unit.telemetry.test_spool import kill, open_spool, segments


def test_what_a_spool_without_its_mark_had_lost_is_declared(tmp_path: Path) -> None:
    """What was to be declared still is, and so are numbers whose entries are damaged, within a segment and at
    its end: nobody else knows of them.
    """
    spool = open_spool(tmp_path)
    spool.skip(3, "ring_full", 1000.0)
    spool.append([b"one", b"two", b"three"], 1000.0)
    large = [b"%04d" % n * 200 for n in range(5)]
    for payload in large:
        spool.append([payload], 1000.0)
    kill(spool)
    (tmp_path / "mark").unlink()
    first, second = segments(tmp_path)
    data = bytearray(first.read_bytes())
    data[data.index(b"two")] ^= 1
    data[-1] ^= 1
    first.write_bytes(data)
    here = sum(payload in first.read_bytes() + second.read_bytes() for payload in large)
    assert here == len(large) - 1, "the last one of the first segment is damaged"
    spool = open_spool(tmp_path)
    batch = spool.take(100, 100_000)
    assert batch is not None
    kept = [payload for _, payload in batch.events]
    assert kept[:2] == [b"one", b"three"]
    assert sorted(kept[2:]) == sorted(set(large) & set(kept)) and len(kept) == 2 + here
    lost = {(gap.reason, gap.last - gap.first + 1) for gap in batch.gaps}
    assert lost == {("ring_full", 3), ("corrupt", 1)}
    assert sum(gap.last - gap.first + 1 for gap in batch.gaps) == 3 + 1 + 1
    spool.close()
