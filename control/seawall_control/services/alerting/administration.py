"""What people change: rules and thresholds, silences, channels. Each change is checked, stored with an entry
in the journal, and in effect when the call returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from seawall_control.domain.alerts import builtin, checking, codec
from seawall_control.domain.alerts.channels import Channel, hidden, keeps_secrets, with_secrets_of
from seawall_control.domain.alerts.rules import Rule
from seawall_control.domain.alerts.silences import Silence
from seawall_control.domain.errors import (
    AlreadyExists,
    FieldProblem,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    StaleEtag,
)
from seawall_control.domain.records import Change, Delete, Document, DocumentConflict, Put
from seawall_control.domain.revisions import checked_request_id
from seawall_control.services.alerting.channel_store import CHANNEL, channel_put
from seawall_control.services.alerting.channels.port import Message, NotSent
from seawall_control.services.alerting.deliverer import Deliverer
from seawall_control.services.alerting.evaluator import Evaluator
from seawall_control.services.alerting.records import RULE, SILENCE, AlertRecords, entry
from seawall_control.services.edge import Clock, Ids

MAX_ACTOR: Final = 128
_THRESHOLDS: Final = (builtin.ERROR_RATE, builtin.SPECIFIC_ERROR, builtin.RECOVERY_FAILURES)


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a rule or channel comes from."""

    version: int = 0
    """0: it is built in and unchanged."""
    update_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The thresholds of the built-in rules; None leaves one as it is."""

    error_rate: float | None = None
    specific_error_count: int | None = None
    recovery_failure_rate: float | None = None


def _stored(document: Document | None) -> Stored:
    return Stored(document.version, document.update_time_us) if document else Stored()


def _expected(etag: str) -> int | None:
    if not etag:
        return None
    if not etag.isdecimal() or len(etag) > 15:
        raise InvalidRequest(f"etag {etag[:32]!r} is none of ours; send the one that was read, or none")
    return int(etag)


def _refuse(what: str, problems: Sequence[FieldProblem]) -> None:
    if not problems:
        return
    first = problems[0]
    said = f"{first.field}: {first.message}" if len(problems) == 1 else f"{len(problems)} mistakes"
    raise InvalidRequest(f"{what} cannot be stored: {said}", tuple(problems[:100]))


class AlertAdministration:
    """The use cases of those who set alerts up."""

    def __init__(
        self, records: AlertRecords, evaluator: Evaluator, deliverer: Deliverer, clock: Clock, ids: Ids
    ) -> None:
        self._records = records
        self._evaluator = evaluator
        self._deliverer = deliverer
        self._clock = clock
        self._ids = ids
        self._changing = asyncio.Lock()

    async def _commit(
        self, what: str, changes: Sequence[Change], *, creates: bool = False
    ) -> tuple[Document, ...]:
        try:
            done = await self._records.store.commit(changes, at_us=self._clock.now_us())
        except DocumentConflict as conflict:
            if creates:
                raise AlreadyExists(f"there is {what} already; change it, or choose another name") from None
            actual = str(conflict.actual) if conflict.actual else ""
            raise StaleEtag(what, str(conflict.expected), actual) from None
        await self._evaluator.reload()
        return done.documents

    # ------------------------------------------------------------------------------------------------- rules

    async def rules(self) -> list[tuple[Rule, Stored]]:
        """Return all rules by name."""
        return [(rule, _stored(document)) for rule, document in await self._records.rules()]

    async def rule(self, name: str) -> tuple[Rule, Stored]:
        """Return a rule. Raise `NotFound`."""
        for rule, stored in await self.rules():
            if rule.name == name:
                return rule, stored
        raise NotFound(f"there is no rule {name[:128]!r}; `seawall alerts rules list` shows them")

    async def _check_rule(self, rule: Rule) -> None:
        names = [channel.name for channel, _ in await self._records.channels()]
        _refuse(f"rule {rule.name[:64]}", checking.rule_problems(rule, names))

    async def create_rule(self, rule: Rule, *, validate_only: bool, actor: str) -> tuple[Rule, Stored]:
        """Add a rule. Raise `InvalidRequest` or `AlreadyExists`."""
        await self._check_rule(rule)
        async with self._changing:
            known = {known.name for known, _ in await self._records.rules()}
            if rule.name in known:
                raise AlreadyExists(f"there is a rule {rule.name} already; change it, or choose another name")
            if rule.is_builtin:
                raise InvalidRequest(
                    f"names that begin with {rule.name.split('/')[0]}/ are ours; choose another"
                )
            if len(known) >= checking.MAX_RULES:
                raise PreconditionFailed(f"there are {len(known)} rules already; delete one first")
            if validate_only:
                return rule, Stored()
            put = Put(RULE, rule.name, codec.to_text(rule), expected=0)
            documents = await self._commit(
                f"rule {rule.name}", [put, _noted("rule_created", actor, rule.name)]
            )
        return rule, _stored(documents[0])

    async def update_rule(
        self, rule: Rule, *, etag: str, validate_only: bool, actor: str
    ) -> tuple[Rule, Stored]:
        """Change a rule. Raise `NotFound`, `InvalidRequest` or `EtagMismatch`."""
        expected = _expected(etag)
        _, stored = await self.rule(rule.name)
        await self._check_rule(rule)
        if expected is not None and expected != stored.version:
            raise StaleEtag(f"rule {rule.name}", etag, str(stored.version))
        if validate_only:
            return rule, stored
        async with self._changing:
            put = Put(RULE, rule.name, codec.to_text(rule), expected=expected)
            documents = await self._commit(
                f"rule {rule.name}", [put, _noted("rule_updated", actor, rule.name)]
            )
        return rule, _stored(documents[0])

    async def delete_rule(self, name: str, *, etag: str, actor: str) -> None:
        """Remove a rule; a built-in one goes back to its first form. Raise `NotFound`."""
        expected = _expected(etag)
        async with self._changing:
            _, stored = await self.rule(name)
            if expected is not None and expected != stored.version:
                raise StaleEtag(f"rule {name}", etag, str(stored.version))
            await self._commit(f"rule {name}", [Delete(RULE, name), _noted("rule_deleted", actor, name)])

    # -------------------------------------------------------------------------------------------- thresholds

    async def thresholds(self) -> Thresholds:
        """Return the thresholds of the built-in rules."""
        rules = {rule.name: rule for rule, _ in await self._records.rules()}
        rate, count, recovery = (rules[name].when[0].threshold for name in _THRESHOLDS)
        return Thresholds(error_rate=rate, specific_error_count=int(count), recovery_failure_rate=recovery)

    async def update_thresholds(self, wanted: Thresholds, *, validate_only: bool, actor: str) -> Thresholds:
        """Change thresholds, all that are given or none. Raise `InvalidRequest`."""
        values = (wanted.error_rate, wanted.specific_error_count, wanted.recovery_failure_rate)
        names = ("error_rate", "specific_error_count", "recovery_failure_rate")
        if all(value is None for value in values):
            raise InvalidRequest(f"nothing is to be changed: set one of {', '.join(names)}")
        async with self._changing:
            rules = {rule.name: rule for rule, _ in await self._records.rules()}
            changes: list[Change] = []
            problems: list[FieldProblem] = []
            for rule_name, field, value in zip(_THRESHOLDS, names, values, strict=True):
                if value is None:
                    continue
                rule = rules[rule_name]
                trigger = replace(rule.when[0], threshold=float(value))
                changed = replace(rule, when=(trigger, *rule.when[1:]))
                found = checking.rule_problems(changed, rule.channels)
                problems += [FieldProblem(f"thresholds.{field}", p.message) for p in found]
                changes.append(Put(RULE, rule_name, codec.to_text(changed)))
            _refuse("the thresholds", problems)
            if changes and not validate_only:
                noted = _noted("thresholds_updated", actor, "")
                await self._commit("a threshold", [*changes, noted])
        return await self.thresholds()

    # ---------------------------------------------------------------------------------------------- silences

    async def silences(self, *, include_ended: bool) -> list[Silence]:
        """Return silences, newest first."""
        at_us = self._clock.now_us()
        found = [s for s, _ in await self._records.silences() if include_ended or s.end_us > at_us]
        return found[::-1]

    async def create_silence(self, silence: Silence, *, validate_only: bool, request_id: str = "") -> Silence:
        """Keep quiet; a repeated `request_id` is done once. Raise `InvalidRequest`."""
        request_id = checked_request_id(request_id)
        at_us = self._clock.now_us()
        made = replace(silence, id=request_id or self._ids.new(), start_us=silence.start_us or at_us)
        async with self._changing:
            known = await self._records.store.document(SILENCE, request_id) if request_id else None
            if known is not None:
                before = codec.silence_of(known.body)
                if not before.is_the_same(made, at_us):
                    raise InvalidRequest(
                        f"request_id {request_id} was used for another silence; use a new UUID"
                    )
                return before
            _refuse("the silence", checking.silence_problems(made, at_us=at_us))
            active = [s for s, _ in await self._records.silences() if s.end_us > at_us]
            if len(active) >= checking.MAX_SILENCES:
                raise PreconditionFailed(f"there are {len(active)} silences already; end one first")
            if not validate_only:
                noted = entry("silence_created", by=made.author, text=made.reason, silence=made.id)
                await self._commit("the silence", [Put(SILENCE, made.id, codec.to_text(made)), noted])
        return made

    async def expire_silence(self, silence_id: str, *, actor: str) -> Silence:
        """End a silence now. Raise `NotFound`, or `PreconditionFailed` when it is over."""
        at_us = self._clock.now_us()
        async with self._changing:
            document = await self._records.store.document(SILENCE, silence_id) if silence_id else None
            if document is None:
                raise NotFound(
                    f"there is no silence {silence_id[:64]!r}; `seawall alerts silence list` shows them"
                )
            silence = codec.silence_of(document.body)
            if silence.end_us <= at_us:
                raise PreconditionFailed(f"silence {silence_id} is over already")
            ended = replace(silence, start_us=min(silence.start_us, at_us), end_us=at_us)
            noted = entry("silence_expired", by=actor[:MAX_ACTOR], silence=silence_id)
            await self._commit("the silence", [Put(SILENCE, silence_id, codec.to_text(ended)), noted])
        return ended

    # ---------------------------------------------------------------------------------------------- channels

    async def channels(self) -> list[tuple[Channel, Stored]]:
        """Return all channels by name, without their secrets."""
        return [(hidden(channel), _stored(document)) for channel, document in await self._records.channels()]

    async def channel(self, name: str) -> tuple[Channel, Stored]:
        """Return a channel without its secrets. Raise `NotFound`."""
        channel, stored = await self._channel(name)
        return hidden(channel), stored

    async def _channel(self, name: str) -> tuple[Channel, Stored]:
        for channel, document in await self._records.channels():
            if channel.name == name:
                return channel, _stored(document)
        raise NotFound(f"there is no channel {name[:128]!r}; `seawall alerts channels list` shows them")

    def is_resting(self, name: str) -> bool:
        """Whether too many messages to a channel in a row have failed."""
        return name in self._deliverer.resting()

    async def create_channel(
        self, channel: Channel, *, validate_only: bool, actor: str
    ) -> tuple[Channel, Stored]:
        """Add a channel. Raise `InvalidRequest` or `AlreadyExists`."""
        channel = with_secrets_of(channel, None)
        _refuse(f"channel {channel.name[:64]}", checking.channel_problems(channel))
        async with self._changing:
            known = {known.name for known, _ in await self._records.channels()}
            if channel.name in known:
                raise AlreadyExists(
                    f"there is a channel {channel.name} already; change it, or choose another name"
                )
            if len(known) >= checking.MAX_CHANNELS:
                raise PreconditionFailed(f"there are {len(known)} channels already; delete one first")
            if validate_only:
                return hidden(channel), Stored()
            put = channel_put(channel, self._records.vault, expected=0)
            noted = entry("channel_created", by=actor[:MAX_ACTOR], channel=channel.name)
            documents = await self._commit(f"channel {channel.name}", [put, noted], creates=True)
        return hidden(channel), _stored(documents[0])

    async def update_channel(
        self, channel: Channel, *, etag: str, validate_only: bool, actor: str
    ) -> tuple[Channel, Stored]:
        """Change a channel; secrets that are given as `***` stay. Raise `NotFound`, `InvalidRequest` or
        `EtagMismatch`.
        """
        expected = _expected(etag)
        async with self._changing:
            before, stored = await self._channel(channel.name)
            if before.unusable and keeps_secrets(channel):
                raise PreconditionFailed(f"channel {channel.name} cannot keep its secrets: {before.unusable}")
            channel = with_secrets_of(channel, before)
            _refuse(f"channel {channel.name}", checking.channel_problems(channel))
            if expected is not None and expected != stored.version:
                raise StaleEtag(f"channel {channel.name}", etag, str(stored.version))
            if validate_only:
                return hidden(channel), stored
            put = channel_put(channel, self._records.vault, expected=expected)
            noted = entry("channel_updated", by=actor[:MAX_ACTOR], channel=channel.name)
            documents = await self._commit(f"channel {channel.name}", [put, noted])
        return hidden(channel), _stored(documents[0])

    async def delete_channel(self, name: str, *, etag: str, actor: str) -> None:
        """Remove a channel. Raise `NotFound`, or `PreconditionFailed` while rules name it."""
        expected = _expected(etag)
        async with self._changing:
            _, stored = await self._channel(name)
            users = [rule.name for rule, _ in await self._records.rules() if name in rule.channels]
            if users:
                raise PreconditionFailed(
                    f"channel {name} is named by {', '.join(users[:5])}; change them first"
                )
            if stored.version == 0:
                raise PreconditionFailed(f"channel {name} is built in; disable it instead")
            if expected is not None and expected != stored.version:
                raise StaleEtag(f"channel {name}", etag, str(stored.version))
            noted = entry("channel_deleted", by=actor[:MAX_ACTOR], channel=name)
            await self._commit(f"channel {name}", [Delete(CHANNEL, name), noted])

    async def test_channel(self, name: str, *, actor: str) -> tuple[str, float]:
        """Send a test message; return what went wrong (nothing if it arrived) and how long it took, in
        seconds. Raise `NotFound`.
        """
        channel, _ = await self._channel(name)
        started_s = self._clock.monotonic_s()
        body = {
            "state": "test",
            "severity": "low",
            "title": "Test of a channel",
            "summary": f"channel {channel.name} of Seawall works if you read this",
        }
        message = Message(f"msg_{self._ids.new()}", self._clock.now_us(), [body])
        failed: NotSent | None = await self._deliverer.send_now(channel, message)
        error = str(failed) if failed is not None else ""
        noted = entry("channel_tested", by=actor[:MAX_ACTOR], channel=name, error=error)
        await self._records.store.commit([noted], at_us=self._clock.now_us())
        return error, self._clock.monotonic_s() - started_s


def _noted(what: str, actor: str, rule: str) -> Change:
    return entry(what, by=actor[:MAX_ACTOR], rule=rule)
