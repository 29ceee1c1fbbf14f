"""Whatever is reported, what is kept is small, storable, and the same when it is admitted again."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from seawall_control.domain.admission import admitted, bounded_details, cut
from seawall_control.domain.events import Event
from seawall_control.domain.redaction import redact_text
from tests.property.control.strategies import events

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(2**53), 2**53) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=30,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=8))
def test_details_stay_json_of_a_bounded_size(details: dict[str, object]) -> None:
    """Any object becomes JSON that any engine stores."""
    kept = bounded_details(details)  # type: ignore[arg-type]
    text = json.dumps(kept, allow_nan=False, ensure_ascii=False)
    assert "\x00" not in text and len(text.encode()) < 600_000


@given(st.text(), st.integers(16, 64))
def test_cut_keeps_its_promise(text: str, most: int) -> None:
    """Never longer than asked, and untouched when short enough."""
    kept = cut(text, most)
    assert len(kept.encode()) <= most
    if len(text.encode()) <= most and "\x00" not in text:
        assert kept == text


@given(events(), st.text(max_size=200))
def test_admission_is_stable(event: Event, text: str) -> None:
    """Admitting what was admitted changes nothing: a second pass finds no more to hide."""
    once = admitted(replace(event, message=text))
    assert admitted(once) == once


@given(st.text(alphabet="0123456789abcdefABCDEF:=-._/ @eyJ\"'", max_size=300))
def test_redaction_is_stable(text: str) -> None:
    """What was redacted is not redacted again."""
    once = redact_text(text)
    assert redact_text(once) == once
