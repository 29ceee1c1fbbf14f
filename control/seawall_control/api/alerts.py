"""AlertService: decode, call the use case, encode."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace

from seawall.v1 import admin_alerts_pb2 as pb
from seawall.v1 import admin_alerts_pb2_grpc
from seawall_control.api import alert_codec, alert_rule_codec, codec
from seawall_control.api.caller import author, begun
from seawall_control.api.errors import Context, abort, answered
from seawall_control.domain import paging
from seawall_control.domain.alerts.checking import MAX_SILENCES
from seawall_control.services.alerting.administration import AlertAdministration, Thresholds
from seawall_control.services.alerting.reading import AlertReading
from seawall_control.services.edge import Clock

_FIXED_RULE = ("name", "builtin", "changed", "etag", "update_time")
_FIXED_CHANNEL = ("name", "etag", "update_time", "resting", "unusable")


def _thresholds(found: Thresholds) -> pb.Thresholds:
    return pb.Thresholds(
        error_rate=found.error_rate,
        specific_error_count=found.specific_error_count,
        recovery_failure_rate=found.recovery_failure_rate,
    )


class AlertServicer(admin_alerts_pb2_grpc.AlertServiceServicer):
    """seawall.v1.AlertService."""

    def __init__(self, administration: AlertAdministration, reading: AlertReading, clock: Clock) -> None:
        self._admin = administration
        self._reading = reading
        self._clock = clock

    # ------------------------------------------------------------------------------------------------- rules

    async def ListAlertRules(
        self, request: pb.ListAlertRulesRequest, context: Context
    ) -> pb.ListAlertRulesResponse:
        """Return a page of rules."""

        async def work() -> pb.ListAlertRulesResponse:
            limit = paging.page_size(request.page_size, default=100, most=500)
            scope = ("alert-rules",)
            after = str(paging.decode(request.page_token, scope)[0]) if request.page_token else ""
            found = [item for item in await self._admin.rules() if item[0].name > after]
            page = found[:limit]
            token = paging.encode((page[-1][0].name,), scope) if len(found) > limit else ""
            return pb.ListAlertRulesResponse(
                rules=[alert_rule_codec.rule_message(*item) for item in page], next_page_token=token
            )

        return await answered(context, work())

    async def GetAlertRule(
        self, request: pb.GetAlertRuleRequest, context: Context
    ) -> pb.GetAlertRuleResponse:
        """Return a rule."""

        async def work() -> pb.GetAlertRuleResponse:
            found = await self._admin.rule(request.name)
            return pb.GetAlertRuleResponse(rule=alert_rule_codec.rule_message(*found))

        return await answered(context, work())

    async def CreateAlertRule(
        self, request: pb.CreateAlertRuleRequest, context: Context
    ) -> pb.CreateAlertRuleResponse:
        """Add a rule."""

        async def work() -> pb.CreateAlertRuleResponse:
            made = await self._admin.create_rule(
                alert_rule_codec.rule_of(request.rule),
                validate_only=request.validate_only,
                actor=author(request.actor),
            )
            return pb.CreateAlertRuleResponse(rule=alert_rule_codec.rule_message(*made))

        return await answered(context, work())

    async def UpdateAlertRule(
        self, request: pb.UpdateAlertRuleRequest, context: Context
    ) -> pb.UpdateAlertRuleResponse:
        """Change a rule."""

        async def work() -> pb.UpdateAlertRuleResponse:
            before, stored = await self._admin.rule(request.rule.name)
            current = alert_rule_codec.rule_message(before, stored)
            wanted = alert_codec.merged(current, request.rule, request.update_mask, fixed=_FIXED_RULE)
            # A change of some fields stands on the others as they were read.
            etag = request.rule.etag or ("" if "*" in request.update_mask.paths else current.etag)
            changed = await self._admin.update_rule(
                alert_rule_codec.rule_of(wanted),
                etag=etag,
                validate_only=request.validate_only,
                actor=author(request.actor),
            )
            return pb.UpdateAlertRuleResponse(rule=alert_rule_codec.rule_message(*changed))

        return await answered(context, work())

    async def DeleteAlertRule(
        self, request: pb.DeleteAlertRuleRequest, context: Context
    ) -> pb.DeleteAlertRuleResponse:
        """Remove a rule."""

        async def work() -> pb.DeleteAlertRuleResponse:
            await self._admin.delete_rule(request.name, etag=request.etag, actor=author(request.actor))
            return pb.DeleteAlertRuleResponse()

        return await answered(context, work())

    async def GetThresholds(
        self, request: pb.GetThresholdsRequest, context: Context
    ) -> pb.GetThresholdsResponse:
        """Return the thresholds."""

        async def work() -> pb.GetThresholdsResponse:
            return pb.GetThresholdsResponse(thresholds=_thresholds(await self._admin.thresholds()))

        return await answered(context, work())

    async def UpdateThresholds(
        self, request: pb.UpdateThresholdsRequest, context: Context
    ) -> pb.UpdateThresholdsResponse:
        """Change thresholds."""

        async def work() -> pb.UpdateThresholdsResponse:
            given = request.thresholds
            wanted = Thresholds(
                error_rate=given.error_rate if given.HasField("error_rate") else None,
                specific_error_count=given.specific_error_count
                if given.HasField("specific_error_count")
                else None,
                recovery_failure_rate=given.recovery_failure_rate
                if given.HasField("recovery_failure_rate")
                else None,
            )
            found = await self._admin.update_thresholds(
                wanted, validate_only=request.validate_only, actor=author(request.actor)
            )
            return pb.UpdateThresholdsResponse(thresholds=_thresholds(found))

        return await answered(context, work())

    # ------------------------------------------------------------------------------------------------ alerts

    async def ListAlerts(self, request: pb.ListAlertsRequest, context: Context) -> pb.ListAlertsResponse:
        """Return a page of alerts."""

        async def work() -> pb.ListAlertsResponse:
            page = await self._reading.alerts(
                phases=alert_codec.phases_of(request.phases),
                rule=request.rule,
                filter_text=request.filter,
                size=request.page_size,
                token=request.page_token,
            )
            return pb.ListAlertsResponse(
                alerts=[alert_codec.alert_message(alert) for alert in page.alerts],
                next_page_token=page.next_token,
            )

        return await answered(context, work())

    async def GetAlert(self, request: pb.GetAlertRequest, context: Context) -> pb.GetAlertResponse:
        """Return an alert."""

        async def work() -> pb.GetAlertResponse:
            return pb.GetAlertResponse(alert=alert_codec.alert_message(await self._reading.alert(request.id)))

        return await answered(context, work())

    async def AcknowledgeAlert(
        self, request: pb.AcknowledgeAlertRequest, context: Context
    ) -> pb.AcknowledgeAlertResponse:
        """Note that somebody looks after an alert."""

        async def work() -> pb.AcknowledgeAlertResponse:
            alert = await self._reading.acknowledge(request.id, by=author(request.actor), why=request.reason)
            return pb.AcknowledgeAlertResponse(alert=alert_codec.alert_message(alert))

        return await answered(context, work())

    async def ListAlertHistory(
        self, request: pb.ListAlertHistoryRequest, context: Context
    ) -> pb.ListAlertHistoryResponse:
        """Return a page of history."""

        async def work() -> pb.ListAlertHistoryResponse:
            page = await self._reading.history(size=request.page_size, token=request.page_token)
            return pb.ListAlertHistoryResponse(
                entries=[alert_codec.history_message(item) for item in page.entries],
                next_page_token=page.next_token,
            )

        return await answered(context, work())

    async def WatchAlerts(self, request: pb.WatchAlertsRequest, context: Context) -> None:
        """Follow what happens to alerts."""
        try:
            async with aclosing(
                self._reading.watch(filter_text=request.filter, current=request.current)
            ) as happenings:
                async for happening, skipped in happenings:
                    await context.write(
                        pb.WatchAlertsResponse(
                            what=happening.what,
                            alert=alert_codec.alert_message(happening.alert),
                            skipped=skipped,
                        )
                    )
        except Exception as error:  # noqa: BLE001 - the table decides
            await abort(context, error)

    # ---------------------------------------------------------------------------------------------- silences

    async def ListSilences(
        self, request: pb.ListSilencesRequest, context: Context
    ) -> pb.ListSilencesResponse:
        """Return silences."""

        async def work() -> pb.ListSilencesResponse:
            limit = paging.page_size(request.page_size, default=MAX_SILENCES, most=MAX_SILENCES)
            scope = ("silences", str(request.include_ended))
            before = str(paging.decode(request.page_token, scope)[0]) if request.page_token else ""
            # By their ids, which is the order in which they are kept.
            found = [
                silence
                for silence in await self._admin.silences(include_ended=request.include_ended)
                if not before or silence.id < before
            ]
            page, at_us = found[:limit], self._clock.now_us()
            return pb.ListSilencesResponse(
                silences=[alert_codec.silence_message(silence, at_us=at_us) for silence in page],
                next_page_token=paging.encode((page[-1].id,), scope) if len(found) > limit else "",
            )

        return await answered(context, work())

    async def CreateSilence(
        self, request: pb.CreateSilenceRequest, context: Context
    ) -> pb.CreateSilenceResponse:
        """Keep quiet about some alerts."""

        async def work() -> pb.CreateSilenceResponse:
            wanted = alert_codec.silence_of(request.silence)
            made = await self._admin.create_silence(
                replace(wanted, author=author(wanted.author)),
                validate_only=request.validate_only,
                request_id=request.request_id,
            )
            at_us = self._clock.now_us()
            return pb.CreateSilenceResponse(silence=alert_codec.silence_message(made, at_us=at_us))

        return await answered(context, work())

    async def ExpireSilence(
        self, request: pb.ExpireSilenceRequest, context: Context
    ) -> pb.ExpireSilenceResponse:
        """End a silence."""

        async def work() -> pb.ExpireSilenceResponse:
            ended = await self._admin.expire_silence(request.id, actor=author(request.actor))
            at_us = self._clock.now_us()
            return pb.ExpireSilenceResponse(silence=alert_codec.silence_message(ended, at_us=at_us))

        return await answered(context, work())

    # ---------------------------------------------------------------------------------------------- channels

    async def ListChannels(
        self, request: pb.ListChannelsRequest, context: Context
    ) -> pb.ListChannelsResponse:
        """Return channels."""

        async def work() -> pb.ListChannelsResponse:
            found, next_token = paging.short_page(
                await self._admin.channels(),
                lambda one: (one[0].name,),
                size=request.page_size,
                token=request.page_token,
                scope=("channels",),
            )
            return pb.ListChannelsResponse(
                channels=[
                    alert_codec.channel_message(channel, stored, resting=self._admin.is_resting(channel.name))
                    for channel, stored in found
                ],
                next_page_token=next_token,
            )

        return await answered(context, work())

    async def GetChannel(self, request: pb.GetChannelRequest, context: Context) -> pb.GetChannelResponse:
        """Return a channel."""

        async def work() -> pb.GetChannelResponse:
            channel, stored = await self._admin.channel(request.name)
            resting = self._admin.is_resting(channel.name)
            return pb.GetChannelResponse(
                channel=alert_codec.channel_message(channel, stored, resting=resting)
            )

        return await answered(context, work())

    async def CreateChannel(
        self, request: pb.CreateChannelRequest, context: Context
    ) -> pb.CreateChannelResponse:
        """Add a channel."""

        async def work() -> pb.CreateChannelResponse:
            made = await self._admin.create_channel(
                alert_codec.channel_of(request.channel),
                validate_only=request.validate_only,
                actor=author(request.actor),
            )
            return pb.CreateChannelResponse(channel=alert_codec.channel_message(*made, resting=False))

        return await answered(context, work())

    async def UpdateChannel(
        self, request: pb.UpdateChannelRequest, context: Context
    ) -> pb.UpdateChannelResponse:
        """Change a channel."""

        async def work() -> pb.UpdateChannelResponse:
            before, stored = await self._admin.channel(request.channel.name)
            current = alert_codec.channel_message(before, stored, resting=False)
            mask = request.update_mask
            wanted = alert_codec.merged(current, request.channel, mask, fixed=_FIXED_CHANNEL)
            changed = await self._admin.update_channel(
                alert_codec.channel_of(wanted),
                etag=request.channel.etag or ("" if "*" in mask.paths else current.etag),
                validate_only=request.validate_only,
                actor=author(request.actor),
            )
            resting = self._admin.is_resting(request.channel.name)
            return pb.UpdateChannelResponse(channel=alert_codec.channel_message(*changed, resting=resting))

        return await answered(context, work())

    async def DeleteChannel(
        self, request: pb.DeleteChannelRequest, context: Context
    ) -> pb.DeleteChannelResponse:
        """Remove a channel."""

        async def work() -> pb.DeleteChannelResponse:
            await self._admin.delete_channel(request.name, etag=request.etag, actor=author(request.actor))
            return pb.DeleteChannelResponse()

        return await answered(context, work())

    async def TestChannel(self, request: pb.TestChannelRequest, context: Context) -> pb.TestChannelResponse:
        """Send a test message."""

        async def work() -> pb.TestChannelResponse:
            await begun()
            error, took_s = await self._admin.test_channel(request.name, actor=author(request.actor))
            return pb.TestChannelResponse(ok=not error, error=error, took=codec.seconds(took_s))

        return await answered(context, work())

    # -------------------------------------------------------------------------------------------- deliveries

    async def ListDeliveries(
        self, request: pb.ListDeliveriesRequest, context: Context
    ) -> pb.ListDeliveriesResponse:
        """Return a page of deliveries."""

        async def work() -> pb.ListDeliveriesResponse:
            page = await self._reading.deliveries(
                states=alert_codec.states_of(request.states),
                channel=request.channel,
                alert_id=request.alert_id,
                size=request.page_size,
                token=request.page_token,
            )
            return pb.ListDeliveriesResponse(
                deliveries=[alert_codec.delivery_message(delivery) for delivery in page.deliveries],
                next_page_token=page.next_token,
            )

        return await answered(context, work())

    async def RetryDelivery(
        self, request: pb.RetryDeliveryRequest, context: Context
    ) -> pb.RetryDeliveryResponse:
        """Send a message once more."""

        async def work() -> pb.RetryDeliveryResponse:
            renewed = await self._reading.retry(request.id, actor=author(request.actor))
            return pb.RetryDeliveryResponse(delivery=alert_codec.delivery_message(renewed))

        return await answered(context, work())
