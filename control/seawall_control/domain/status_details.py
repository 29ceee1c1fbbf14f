"""Reads what a server said beside its status (`grpc-status-details-bin`) into the details of an event.

A proxy reads these itself and never sends them on. Applications and other reporters hand the trailer over as
they got it; here it becomes text that can be searched, shown and redacted, and the raw value goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from seawall_control.domain.events import Json
from seawall_policy import status
from seawall_policy.rich_error import RichError, decode

RAW_KEYS: Final = frozenset({"grpc-status-details-bin", "grpc_status_details_bin"})
DECODED: Final = "status_details"


def with_status(details: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return the details with a decoded status in place of a raw one; as they are when there is none, or when
    it cannot be read.
    """
    raw_key = next((key for key in details if key.lower() in RAW_KEYS), None)
    if raw_key is None:
        return details
    raw = details[raw_key]
    found = decode(raw.encode("ascii", "replace")) if isinstance(raw, str) else None
    if found is None:
        return details
    kept = {key: value for key, value in details.items() if key != raw_key}
    kept.setdefault(DECODED, _told(found))
    if found.reason:
        kept.setdefault("error_reason", found.reason)
    if found.domain:
        kept.setdefault("error_domain", found.domain)
    return kept


def _told(found: RichError) -> Mapping[str, Json]:
    told: dict[str, Json] = {}
    if found.code:
        told["code"] = status.name(found.code)
    if found.message:
        told["message"] = found.message
    if found.metadata:
        told["metadata"] = dict(found.metadata)
    if found.retry_delay_s >= 0.0:
        told["retry_delay_s"] = found.retry_delay_s
    if found.quotas:
        told["quotas"] = [{"subject": subject, "description": text} for subject, text in found.quotas]
    if found.bad_fields:
        told["bad_fields"] = list(found.bad_fields)
    return told
