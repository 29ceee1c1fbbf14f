"""The stable form of `-o json` of archives; the rules are those of shapes.py."""

from __future__ import annotations

from seawall.cli.shapes import Shape, time
from seawall.v1 import admin_archives_pb2 as pb


def archive(item: pb.EventArchive) -> Shape:
    """An archive."""
    return {
        "name": item.name,
        "events": item.events,
        "first_time": time(item.first_time),
        "last_time": time(item.last_time),
        "size_bytes": item.size_bytes,
        "text_bytes": item.text_bytes,
        "sha256": item.sha256,
        "create_time": time(item.create_time),
        "actor": item.actor,
        "reason": item.reason,
        "removed": item.removed,
        "path": item.path,
    }


def archived(item: pb.ArchiveEventsResponse) -> Shape:
    """What was moved to archives, or would be."""
    return {
        "events": item.events,
        "store_bytes": item.store_bytes or None,
        "archives": [archive(one) for one in item.archives],
    }
