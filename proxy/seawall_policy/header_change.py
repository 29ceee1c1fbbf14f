"""Changes of one header list: what is dropped, what takes its place, what is sent beside it.

A change is made once, when the policy is compiled, and applied in two steps, since header lists travel in two
parts: the stable fields (a change of them is worth remembering) and the fields of one call. What a change
adds goes with the stable fields, except for names whose values must not be remembered (credentials and the
like), which travel with the call's own.

Rules: `set` drops every value that is there and sends its own, `add` sends its value beside what is there (in
no particular order among the values of one name), `remove` drops. Names are compared as they are: HTTP/2 and
gRPC know lower case only.
"""

from __future__ import annotations

from typing import Final

Field = tuple[bytes, bytes]

PER_CALL_NAMES: Final[frozenset[bytes]] = frozenset(
    (b"authorization", b"cookie", b"proxy-authorization", b"set-cookie")
)
"""Credentials: sent as fields that no table remembers (RFC 7541 section 7.1.3)."""


class HeaderChange:
    """One change; compared by identity, so that its result can be remembered under it."""

    def __init__(
        self, set_fields: tuple[Field, ...], add_fields: tuple[Field, ...], remove: frozenset[bytes]
    ) -> None:
        dropped = set(remove)
        stable: list[Field] = []
        per_call: list[Field] = []
        for name, value in set_fields:
            dropped.add(name)
            (per_call if name in PER_CALL_NAMES else stable).append((name, value))
        for name, value in add_fields:
            (per_call if name in PER_CALL_NAMES else stable).append((name, value))
        self.dropped: frozenset[bytes] = frozenset(dropped)
        """Names whose values are not passed on."""
        self.stable: tuple[Field, ...] = tuple(stable)
        """Fields that are sent with every call and may be remembered."""
        self.per_call: tuple[Field, ...] = tuple(per_call)
        """Fields that are sent with every call and may not."""

    def with_field(self, name: bytes, value: bytes) -> HeaderChange:
        """Return a change that also sets one more field."""
        result = HeaderChange(((name, value),), (), self.dropped)
        result.stable = (*[field for field in self.stable if field[0] != name], *result.stable)
        result.per_call = self.per_call
        return result

    def of_stable(self, fields: tuple[Field, ...]) -> tuple[Field, ...]:
        """Return the stable fields of a list as they are sent; pseudo-headers stay in front."""
        dropped = self.dropped
        kept = [field for field in fields if field[0] not in dropped]
        kept.extend(self.stable)
        return tuple(kept)

    def of_call(self, extra: tuple[Field, ...]) -> tuple[Field, ...]:
        """Return the fields of one call as they are sent."""
        dropped = self.dropped
        touched = False
        for field in extra:
            if field[0] in dropped:
                touched = True
        if not touched:
            per_call = self.per_call
            if len(per_call) == 0:
                return extra
            return (*extra, *per_call)
        kept = [field for field in extra if field[0] not in dropped]
        kept.extend(self.per_call)
        return tuple(kept)


NO_CHANGE: Final = HeaderChange((), (), frozenset())
"""What a mirrored call starts from when its route changes nothing."""
