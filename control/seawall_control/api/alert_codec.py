"""Messages of `AlertService` to values of the domain and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from seawall.v1 import admin_alerts_pb2 as pb
from seawall.v1 import event_pb2
from seawall_control.api import codec
from seawall_control.domain.alerts.channels import Channel, ChannelKind, SmtpSecurity
from seawall_control.domain.alerts.lifecycle import Alert, Phase
from seawall_control.domain.alerts.outbox import Delivery, DeliveryState
from seawall_control.domain.alerts.silences import Silence
from seawall_control.domain.errors import FieldProblem, InvalidRequest
from seawall_control.domain.events import Severity
from seawall_control.services.alerting.administration import Stored
from seawall_control.services.alerting.reading import HistoryEntry

PHASES: Final = (None, Phase.PENDING, Phase.FIRING, Phase.RESOLVED)
STATES: Final = (None, DeliveryState.PENDING, DeliveryState.SENT, DeliveryState.FAILED)
SECURITIES: Final = (None, SmtpSecurity.STARTTLS, SmtpSecurity.TLS, SmtpSecurity.NONE)
_PORTS: Final = {SmtpSecurity.STARTTLS: 587, SmtpSecurity.TLS: 465, SmtpSecurity.NONE: 25}
_TIMEOUT_S: Final = 10.0
_MAX_S: Final = 10 * 365 * 86400.0

T = TypeVar("T")
M = TypeVar("M", bound=Message)


def seconds_of(message: Message, field: str, duration: Duration, default_s: float = 0.0) -> float:
    """Return a length of time that may be unset, within what makes sense."""
    if not message.HasField(field):
        return default_s
    return max(-1.0, min(duration.seconds + duration.nanos / 1e9, _MAX_S))


def severity_of(number: int) -> Severity | None:
    """Return a severity; None for one that is not set or not known."""
    return Severity(number) if 1 <= number <= 4 else None


def named(values: Sequence[T | None], number: int, field: str) -> T:
    """Return the value with this number. Raise `InvalidRequest`."""
    found = values[number] if 0 <= number < len(values) else None
    if found is None:
        raise InvalidRequest(
            f"{field} is not set, or of a version that this control plane does not know",
            (FieldProblem(field, "must be set"),),
        )
    return found


def merged(current: M, wanted: M, mask: FieldMask, *, fixed: Iterable[str]) -> M:
    """Return `current` with the fields of the mask from `wanted`; an empty mask means those that are set
    there (https://google.aip.dev/134), `*` all fields. Raise `InvalidRequest` for paths that cannot be
    changed, and when nothing is to be changed.
    """
    paths = list(mask.paths)
    if "*" in paths:
        return wanted
    names = {field.name for field in current.DESCRIPTOR.fields} - set(fixed)
    if not paths:
        paths = [field.name for field, _ in wanted.ListFields() if field.name in names]
    if not paths:
        raise InvalidRequest(
            "nothing is to be changed: set fields, or name in update_mask those that are to be empty, of "
            f"{', '.join(sorted(names))}, or `*` for all of them"
        )
    unknown = [path for path in paths if path not in names]
    if unknown:
        raise InvalidRequest(
            "update_mask names fields that cannot be changed",
            tuple(
                FieldProblem("update_mask", f"{path[:64]!r} is none of {', '.join(sorted(names))}")
                for path in unknown[:20]
            ),
        )
    # What is named is taken as it is in `wanted`, also when that is empty.
    part = type(current)()
    part.CopyFrom(wanted)
    done = type(current)()
    done.CopyFrom(current)
    for field in current.DESCRIPTOR.fields:
        if field.name in paths:
            done.ClearField(field.name)
        else:
            part.ClearField(field.name)
    done.MergeFrom(part)
    return done


# ----------------------------------------------------------------------------------------------------- alerts


def alert_message(alert: Alert) -> pb.Alert:
    """Encode an alert."""
    subject = alert.subject
    found = pb.Alert(
        id=alert.id,
        rule=alert.rule,
        subject=pb.AlertSubject(
            key=subject.key,
            component=subject.component,
            route=subject.route,
            method=subject.method,
            code=subject.code,
            endpoint=subject.endpoint,
            error_type=subject.error_type,
            fingerprint=subject.fingerprint,
            proxy=subject.proxy,
            breaker=subject.breaker,
            event_id=subject.event_id,
        ),
        severity=codec.enum(event_pb2.Severity, int(alert.severity)),
        phase=codec.enum(pb.AlertPhase, PHASES.index(alert.phase)),
        summary=alert.text,
        value=alert.value,
        threshold=alert.threshold,
        flapping=alert.flapping,
        notifications=alert.notifications,
        quiet_by=alert.quiet_by,
        acknowledged_by=alert.acknowledged_by,
        acknowledge_reason=alert.acknowledged_why,
    )
    for target, at_us in (
        (found.start_time, alert.since_us),
        (found.fire_time, alert.fired_us),
        (found.resolve_time, alert.resolved_us),
        (found.notify_time, alert.notified_us),
        (found.acknowledge_time, alert.acknowledged_us),
    ):
        if at_us:
            target.CopyFrom(codec.timestamp(at_us))
    return found


def phases_of(numbers: Iterable[int]) -> list[Phase]:
    """Decode phases."""
    return [named(PHASES, number, "phases") for number in numbers]


# -------------------------------------------------------------------------------------------------- silences


def silence_of(message: pb.Silence) -> Silence:
    """Decode a silence; its id is made elsewhere."""
    return Silence(
        id="",
        rules=tuple(message.rules),
        filter=message.filter,
        start_us=codec.time_us(message.start_time),
        end_us=codec.time_us(message.end_time),
        author=message.author,
        reason=message.reason,
    )


def silence_message(silence: Silence, *, at_us: int) -> pb.Silence:
    """Encode a silence."""
    return pb.Silence(
        id=silence.id,
        rules=silence.rules,
        filter=silence.filter,
        start_time=codec.timestamp(silence.start_us),
        end_time=codec.timestamp(silence.end_us),
        author=silence.author,
        reason=silence.reason,
        active=silence.is_active(at_us),
    )


# -------------------------------------------------------------------------------------------------- channels


def channel_of(message: pb.Channel) -> Channel:
    """Decode a channel. Raise `InvalidRequest`."""
    settings = message.WhichOneof("settings")
    if settings is None:
        raise InvalidRequest(
            "the channel does not say how it tells: set one of email, slack, webhook, file, log, apprise",
            (FieldProblem("channel.settings", "must be set"),),
        )
    email, file = message.email, message.file
    security = SECURITIES[email.security] if 0 < email.security < len(SECURITIES) else None
    security = security or SmtpSecurity.STARTTLS
    urls = {"slack": message.slack.url, "webhook": message.webhook.url, "apprise": message.apprise.url}
    return Channel(
        name=message.name,
        kind=ChannelKind(settings),
        disabled=message.disabled,
        min_severity=severity_of(message.min_severity) or Severity.LOW,
        digest_s=seconds_of(message, "digest", message.digest),
        immediate_from=severity_of(message.immediate_from) or Severity.CRITICAL,
        max_per_minute=message.max_per_minute or 30,
        timeout_s=seconds_of(message, "timeout", message.timeout, _TIMEOUT_S),
        url=urls.get(settings, ""),
        secret=message.webhook.secret,
        previous_secret=message.webhook.previous_secret,
        host=email.host,
        port=(email.port or _PORTS[security]) if settings == "email" else 0,
        security=security,
        user=email.user,
        password=email.password,
        sender=getattr(email, "from"),
        recipients=tuple(email.to),
        file=file.name,
        max_bytes=file.max_bytes or 10 * 1024 * 1024,
        keep=file.keep if file.HasField("keep") else 3,
    )


def channel_message(channel: Channel, stored: Stored, *, resting: bool) -> pb.Channel:
    """Encode a channel whose secrets are hidden already."""
    found = pb.Channel(
        name=channel.name,
        disabled=channel.disabled,
        min_severity=codec.enum(event_pb2.Severity, int(channel.min_severity)),
        digest=codec.seconds(channel.digest_s) if channel.digest_s else None,
        immediate_from=codec.enum(event_pb2.Severity, int(channel.immediate_from)),
        max_per_minute=channel.max_per_minute,
        timeout=codec.seconds(channel.timeout_s),
        etag=str(stored.version),
        resting=resting,
        unusable=channel.unusable,
    )
    if stored.update_us:
        found.update_time.CopyFrom(codec.timestamp(stored.update_us))
    match channel.kind:
        case ChannelKind.EMAIL:
            found.email.CopyFrom(_email_message(channel))
        case ChannelKind.SLACK:
            found.slack.url = channel.url
        case ChannelKind.WEBHOOK:
            found.webhook.CopyFrom(
                pb.WebhookSettings(
                    url=channel.url, secret=channel.secret, previous_secret=channel.previous_secret
                )
            )
        case ChannelKind.FILE:
            found.file.CopyFrom(
                pb.FileSettings(name=channel.file, max_bytes=channel.max_bytes, keep=channel.keep)
            )
        case ChannelKind.LOG:
            found.log.SetInParent()
        case ChannelKind.APPRISE:
            found.apprise.url = channel.url
    return found


def _email_message(channel: Channel) -> pb.EmailSettings:
    found = pb.EmailSettings(
        host=channel.host,
        port=channel.port,
        security=codec.enum(pb.SmtpSecurity, SECURITIES.index(channel.security)),
        user=channel.user,
        password=channel.password,
        to=channel.recipients,
    )
    setattr(found, "from", channel.sender)
    return found


# -------------------------------------------------------------------------------------- deliveries, history


def states_of(numbers: Iterable[int]) -> list[DeliveryState]:
    """Decode states of deliveries."""
    return [named(STATES, number, "states") for number in numbers]


def delivery_message(delivery: Delivery) -> pb.Delivery:
    """Encode a delivery."""
    found = pb.Delivery(
        id=delivery.id,
        channel=delivery.channel,
        alert_id=delivery.alert_id,
        rule=delivery.rule,
        severity=codec.enum(event_pb2.Severity, int(delivery.severity)),
        news=delivery.news,
        state=codec.enum(pb.DeliveryState, STATES.index(delivery.state)),
        attempts=delivery.attempts,
        error=delivery.error,
        message_id=delivery.message_id,
        create_time=codec.timestamp(delivery.create_us),
        summary=str(delivery.body.get("summary", "")),
    )
    if delivery.state is DeliveryState.PENDING:
        found.next_time.CopyFrom(codec.timestamp(delivery.next_us))
    if delivery.end_us:
        found.end_time.CopyFrom(codec.timestamp(delivery.end_us))
    return found


def history_message(item: HistoryEntry) -> pb.AlertHistoryEntry:
    """Encode an entry of the history."""
    return pb.AlertHistoryEntry(
        number=item.number,
        time=codec.timestamp(item.time_us),
        what=item.what,
        alert_id=item.alert,
        rule=item.rule,
        channel=item.channel,
        actor=item.by,
        text=item.text,
    )
