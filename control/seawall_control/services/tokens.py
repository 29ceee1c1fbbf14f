"""API tokens: made once, shown once, looked up at every call.

All tokens are held in memory, so that a call costs no query. The copy is read again when it is older than two
seconds, so that a token that another control plane on the same store revoked is refused here soon after.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from seawall_control.domain import tokens
from seawall_control.domain.access import Caller, Role
from seawall_control.domain.errors import (
    AlreadyExists,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    Unauthenticated,
)
from seawall_control.domain.records import Delete, DocumentConflict, Put
from seawall_control.domain.scopes import checked_scope
from seawall_control.domain.tokens import KIND, MAX_TOKENS, USED_GRAIN_US, Token
from seawall_control.services.background import Background
from seawall_control.services.edge import Clock
from seawall_control.store.port import RecordStore

FRESH_S: Final = 2.0


class TokenService:
    """API tokens."""

    def __init__(self, store: RecordStore, clock: Clock, background: Background) -> None:
        self._store = store
        self._clock = clock
        self._background = background
        self._by_digest: dict[str, Token] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def create(
        self,
        name: str,
        roles: Iterable[Role],
        *,
        expires_us: int,
        created_by: str,
        owner: str = "",
        maker: str = "",
        policy_sets: Iterable[str] = (),
    ) -> tuple[Token, str]:
        """Make a token; return it and its secret, which is not kept. `expires_us` 0: never. It is limited to
        `policy_sets`, if there are any. It stands for `owner`, a person; without one for its `maker`.

        Raise `InvalidRequest`, `AlreadyExists` or `PreconditionFailed`.
        """
        now_us = self._clock.now_us()
        if expires_us and expires_us <= now_us:
            raise InvalidRequest("the token would have expired already")
        secret = tokens.secret_of(tokens.API_PREFIX, os.urandom(tokens.SECRET_BYTES))
        token = Token(
            name=tokens.checked_name(name),
            digest=tokens.hashed(secret),
            roles=tokens.checked_roles(roles),
            created_us=now_us,
            created_by=created_by,
            owner=tokens.checked_owner(owner) if owner else maker or created_by,
            expires_us=expires_us,
            policy_sets=checked_scope(policy_sets),
        )
        tokens.checked_limits(token.roles, token.policy_sets)
        await self._read()
        if len(self._by_digest) >= MAX_TOKENS:
            raise PreconditionFailed(
                f"there are {MAX_TOKENS} tokens already; revoke those that nobody uses (seawall tokens list)"
            )
        try:
            facts = (("token.name", name), ("token.id", token.id))
            put = Put(KIND, name, tokens.encoded(token), expected=0, facts=facts)
            await self._store.commit([put], at_us=now_us)
        except DocumentConflict:
            raise AlreadyExists(
                f"there is a token named {name!r}; choose another name, or revoke that one first"
            ) from None
        self._by_digest[token.digest] = token
        return token, secret

    async def list(self) -> list[Token]:
        """Return all tokens by name, expired ones too."""
        await self._read()
        return sorted(self._by_digest.values(), key=lambda token: token.name)

    async def revoke(self, name: str) -> None:
        """Make a token useless. Raise `NotFound`."""
        if await self._store.document(KIND, name) is None:
            raise NotFound(f"there is no token named {name!r}; `seawall tokens list` shows them")
        await self._store.commit([Delete(KIND, name)], at_us=self._clock.now_us())
        await self._read()

    async def authenticate(self, secret: str, address: str) -> Caller:
        """Return who a secret belongs to. Raise `Unauthenticated`, which does not say why in a way that helps
        to guess: whatever was sent has 256 bits or is wrong.
        """
        if not tokens.is_well_formed(tokens.API_PREFIX, secret):
            raise Unauthenticated(
                "the token is damaged: it is sw_ and 49 letters and digits; copy it again as it was shown, "
                "or ask an admin for a new one (seawall tokens create)"
            )
        await self._refresh()
        # Looked up by its hash: what the time of the look-up tells is of the hash, not of the secret.
        token = self._by_digest.get(tokens.hashed(secret))
        if token is None:
            raise Unauthenticated(
                "the token is not known here: it was revoked, or made by another control plane; "
                "ask an admin for a new one (seawall tokens create)"
            )
        now_us = self._clock.now_us()
        if token.expired(now_us):
            raise Unauthenticated(
                f"the token {token.name!r} has expired; ask an admin for a new one (seawall tokens create)"
            )
        self._used(token, now_us)
        is_proxy = Role.PROXY in token.roles
        return Caller(
            name=f"node/{token.name}" if is_proxy else token.name,
            kind="token",
            roles=token.roles,
            address=address,
            node=token.name if is_proxy else "",
            credential=token.id,
            owner="" if is_proxy else token.owner,
            scope=token.policy_sets or None,
            expires_us=token.expires_us,
        )

    async def still_valid(self, caller: Caller) -> bool:
        """Tell whether the token that let a call in is still here."""
        await self._refresh()
        return any(token.id == caller.credential for token in self._by_digest.values())

    # ------------------------------------------------------------------------------------------------ inside

    async def _refresh(self) -> None:
        if self._clock.monotonic_s() - self._read_at < FRESH_S:
            return
        async with self._reading:
            if self._clock.monotonic_s() - self._read_at >= FRESH_S:
                await self._read()

    async def _read(self) -> None:
        at = self._clock.monotonic_s()
        documents = await self._store.documents(KIND, limit=MAX_TOKENS * 2)
        found = (tokens.decoded(document.name, document.body) for document in documents)
        self._by_digest = {token.digest: token for token in found}
        self._read_at = at

    def _used(self, token: Token, now_us: int) -> None:
        if now_us - token.last_used_us < USED_GRAIN_US:
            return
        used = replace(token, last_used_us=now_us)
        self._by_digest[token.digest] = used
        self._background.start(self._note(used), "seawall-token-used")

    async def _note(self, token: Token) -> None:
        document = await self._store.document(KIND, token.name)
        if document is None or tokens.decoded(token.name, document.body).digest != token.digest:
            return
        change = Put(KIND, token.name, tokens.encoded(token), expected=document.version)
        try:
            await self._store.commit([change], at_us=self._clock.now_us())
        except DocumentConflict:
            # Somebody revoked it, or noted its use, in the meantime.
            return
