"""What may be stored as a rule, a silence or a channel: all mistakes at once, each with its field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import urlsplit

from seawall_control.domain import filters
from seawall_control.domain.alerts.channels import Channel, ChannelKind, SmtpSecurity
from seawall_control.domain.alerts.rules import SUBJECTS_OF, USED_BY, Filters, Rule, Trigger, TriggerKind
from seawall_control.domain.alerts.silences import Silence
from seawall_control.domain.errors import FieldProblem, InvalidFilter
from seawall_control.domain.events import MICROS

MAX_RULES: Final = 500
MAX_SILENCES: Final = 500
MAX_CHANNELS: Final = 100
MAX_TIMEOUT_S: Final = 60
"""How long a channel may be given for one message."""
MAX_TRIGGERS: Final = 10
MAX_FILTERS: Final = 20
MAX_RECIPIENTS: Final = 50
MAX_TEXT: Final = 512
DAY_S: Final = 86400.0
MAX_SILENCE_US: Final = 366 * 86400 * MICROS
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._/-]{0,98}[a-z0-9])?")
_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ADDRESS: Final = re.compile(r"[^\s@<>\"',;:\\()\[\]]{1,64}@[A-Za-z0-9.-]{1,253}")
_RATES: Final = (TriggerKind.ERROR_RATE, TriggerKind.RECOVERY_FAILURE_RATE, TriggerKind.DISK)
_COUNTS: Final = (TriggerKind.EVENT_COUNT, TriggerKind.QUEUE)

_PLAIN: Final = Trigger(kind=TriggerKind.STORE)
_SETTINGS: Final = (
    ("threshold", "threshold"),
    ("window", "window_s"),
    ("min_calls", "min_calls"),
    ("severity", "severity"),
    ("of", "of"),
    ("objective", "objective"),
    ("windows", "windows"),
)
"""Settings of triggers, as operators write them, and where they are."""

Say = Callable[[str, str], None]


def _collector(problems: list[FieldProblem]) -> Say:
    def say(field: str, message: str) -> None:
        problems.append(FieldProblem(field, message))

    return say


def _name(say: Say, name: str) -> None:
    if not _NAME.fullmatch(name) or ".." in name or "//" in name:
        say("name", f"{name[:64]!r} is not a name: 1 to 100 of a-z, 0-9, `.`, `_`, `-` and `/` inside")


def _range(say: Say, field: str, value: float, low: float, high: float, unit: str = "") -> None:
    if not low <= value <= high:
        say(field, f"is {value:.12g}{unit}; it must be {low:.12g}{unit} to {high:.12g}{unit}")


def _filter(say: Say, field: str, text: str) -> None:
    try:
        filters.parse(text)
    except InvalidFilter as error:
        say(field, str(error))


def rule_problems(rule: Rule, channels: Iterable[str]) -> list[FieldProblem]:
    """Return the mistakes of a rule; `channels` are the names that there are."""
    problems: list[FieldProblem] = []
    say = _collector(problems)
    _name(say, rule.name)
    if len(rule.title) > MAX_TEXT:
        say("title", f"has {len(rule.title)} characters; at most {MAX_TEXT} are kept")
    if not 1 <= len(rule.when) <= MAX_TRIGGERS:
        say("when", f"has {len(rule.when)} triggers; 1 to {MAX_TRIGGERS} are needed")
    for index, trigger in enumerate(rule.when[:MAX_TRIGGERS]):
        _trigger(say, f"when[{index}]", trigger)
    _filters(say, rule.filters)
    _range(say, "hold", rule.hold_s, 0, DAY_S, " s")
    _range(say, "keep_firing", rule.keep_firing_s, 0, DAY_S, " s")
    _range(say, "interval", rule.interval_s, 0, 7 * DAY_S, " s")
    _range(say, "repeat", rule.repeat_s, 0, 7 * DAY_S, " s")
    _range(say, "max_per_hour", rule.max_per_hour, 0, 10_000)
    known = set(channels)
    for index, name in enumerate(rule.channels):
        if name not in known:
            say(
                f"channels[{index}]",
                f"there is no channel {name[:64]!r}; `seawall alerts channels list` shows them",
            )
    if len(rule.inhibited_by) > MAX_FILTERS or rule.name in rule.inhibited_by:
        say("inhibited_by", f"names at most {MAX_FILTERS} rules, and not itself")
    return problems


def _filters(say: Say, wanted: Filters) -> None:
    for word, texts in (("all", wanted.all), ("any", wanted.any), ("none", wanted.none)):
        if len(texts) > MAX_FILTERS:
            say(f"filters.{word}", f"has {len(texts)} filters; at most {MAX_FILTERS} are allowed")
        for index, text in enumerate(texts[:MAX_FILTERS]):
            if not text.strip():
                say(f"filters.{word}[{index}]", "is empty; leave it out")
            _filter(say, f"filters.{word}[{index}]", text)


def _trigger(say: Say, field: str, trigger: Trigger) -> None:
    kind = trigger.kind
    used = USED_BY[kind]
    for name, attribute in _SETTINGS:
        if name not in used and getattr(trigger, attribute) != getattr(_PLAIN, attribute):
            say(
                f"{field}.{name}", f"is not looked at by {kind}, which has {', '.join(used) or 'no settings'}"
            )
    if kind in _RATES:
        _range(say, f"{field}.threshold", trigger.threshold, 0.0001, 1)
    elif kind in _COUNTS:
        _range(say, f"{field}.threshold", trigger.threshold, 1, 1e9)
    _range(say, f"{field}.window", trigger.window_s, 10, DAY_S, " s")
    _range(say, f"{field}.min_calls", trigger.min_calls, 0, 1e9)
    words = SUBJECTS_OF.get(kind)
    if words is not None:
        if not trigger.of:
            say(f"{field}.of", f"is empty; name some of {', '.join(words)}")
        for word in trigger.of:
            if word not in words:
                say(f"{field}.of", f"{word[:64]!r} is none of {', '.join(words)}")
    if kind is TriggerKind.BURN_RATE:
        if not 0.5 <= trigger.objective <= 0.99999:
            say(
                f"{field}.objective",
                f"is {trigger.objective:.12g}; it must be 0.5 to 0.99999, such as 0.999",
            )
        if len(trigger.windows) > 8:
            say(f"{field}.windows", "has more than 8 pairs")
        for index, pair in enumerate(trigger.windows[:8]):
            _range(say, f"{field}.windows[{index}].factor", pair.factor, 0.1, 1e6)
            _range(say, f"{field}.windows[{index}].long", pair.long_s, 60, 3 * DAY_S, " s")
            _range(say, f"{field}.windows[{index}].short", pair.short_s, 10, pair.long_s, " s")


def silence_problems(silence: Silence, *, at_us: int) -> list[FieldProblem]:
    """Return the mistakes of a silence."""
    problems: list[FieldProblem] = []
    say = _collector(problems)
    if silence.end_us <= max(silence.start_us, at_us):
        say("end_time", "must be set, in the future and after start_time: no silence is for ever")
    elif silence.end_us - silence.start_us > MAX_SILENCE_US:
        say("end_time", "is more than a year after start_time")
    for field, text in (("author", silence.author), ("reason", silence.reason)):
        if not text.strip():
            say(field, "must be set: whoever wonders about the silence reads it")
        elif len(text) > MAX_TEXT:
            say(field, f"has {len(text)} characters; at most {MAX_TEXT} are kept")
    if len(silence.rules) > MAX_FILTERS:
        say("rules", f"has {len(silence.rules)} names; at most {MAX_FILTERS} are allowed")
    _filter(say, "filter", silence.filter)
    return problems


def channel_problems(channel: Channel) -> list[FieldProblem]:
    """Return the mistakes of a channel."""
    problems: list[FieldProblem] = []
    say = _collector(problems)
    _name(say, channel.name)
    _range(say, "digest", channel.digest_s, 0, DAY_S, " s")
    _range(say, "max_per_minute", channel.max_per_minute, 1, 6000)
    _range(say, "timeout", channel.timeout_s, 0.1, MAX_TIMEOUT_S, " s")
    _KINDS[channel.kind](say, channel)
    return problems


def _email(say: Say, channel: Channel) -> None:
    if not channel.host or len(channel.host) > 253:
        say("email.host", "must name the mail server")
    _range(say, "email.port", channel.port, 1, 65535)
    if bool(channel.user) != bool(channel.password):
        say(
            "email.password",
            "user and password are set together, or neither; one that is kept (***) is for the same host and "
            "port, give it again for others",
        )
    if channel.password and channel.security is SmtpSecurity.NONE:
        say(
            "email.security",
            "a password is only sent over TLS; use SMTP_SECURITY_STARTTLS or SMTP_SECURITY_TLS",
        )
    if not 1 <= len(channel.recipients) <= MAX_RECIPIENTS:
        say("email.to", f"has {len(channel.recipients)} addresses; 1 to {MAX_RECIPIENTS} are needed")
    for field, address in (("email.from", channel.sender), *(("email.to", a) for a in channel.recipients)):
        if not _ADDRESS.fullmatch(address):
            say(field, f"{address[:64]!r} is no mail address")


def _url(say: Say, channel: Channel) -> None:
    if not channel.url or len(channel.url) > 2048:
        say(f"{channel.kind}.url", "must be set, with at most 2048 characters")
        return
    try:
        parts = urlsplit(channel.url)
        wanted = channel.kind is ChannelKind.APPRISE or parts.scheme in ("https", "http")
        found = bool(parts.scheme and (parts.hostname or channel.kind is ChannelKind.APPRISE)) and wanted
        _ = parts.port
    except ValueError:
        found = False
    if not found:
        # The address of Slack is a password: it is not repeated.
        example = "mailto://..." if channel.kind is ChannelKind.APPRISE else "https://host/path"
        say(f"{channel.kind}.url", f"is no address such as {example}")


def _webhook(say: Say, channel: Channel) -> None:
    _url(say, channel)
    for field, secret in (("secret", channel.secret), ("previous_secret", channel.previous_secret)):
        if secret and not 16 <= len(secret) <= 512:
            say(f"webhook.{field}", "must have 16 to 512 characters")
    if not channel.secret:
        say("webhook.secret", "must be set: receivers tell by it that a message is ours")


def _file(say: Say, channel: Channel) -> None:
    if not _FILE.fullmatch(channel.file):
        say("file.name", f"{channel.file[:64]!r} is no plain file name; it lies in the directory for alerts")
    _range(say, "file.max_bytes", channel.max_bytes, 4096, 1 << 30)
    _range(say, "file.keep", channel.keep, 0, 100)


def _nothing(say: Say, channel: Channel) -> None:
    """A log needs no settings."""


_KINDS: Final[dict[ChannelKind, Callable[[Say, Channel], None]]] = {
    ChannelKind.EMAIL: _email,
    ChannelKind.SLACK: _url,
    ChannelKind.WEBHOOK: _webhook,
    ChannelKind.FILE: _file,
    ChannelKind.LOG: _nothing,
    ChannelKind.APPRISE: _url,
}
