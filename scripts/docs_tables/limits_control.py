"""Fixed limits of the control plane."""

from __future__ import annotations

from scripts.docs_tables.text import count, length, size, table


def limits_control() -> str:
    """Return what the control plane takes."""
    from seawall_control.api import fleet as fleet_api
    from seawall_control.api import gate, grpc_server
    from seawall_control.api.http import connection, live, reading
    from seawall_control.api.http.rpc import methods
    from seawall_control.domain import (
        admission,
        enrolment,
        filters,
        fleet,
        flood,
        grouping,
        groups,
        requests,
        rollups,
        subscription,
        tokens,
    )
    from seawall_control.domain import inheritance as followers
    from seawall_control.domain import operations as fleet_operations
    from seawall_control.domain.alerts import checking, engine, windows
    from seawall_control.domain.rollout import strategy as rollout_strategy
    from seawall_control.services import (
        audit,
        commands,
        event_intake,
        events,
        feed,
        fleet_door,
        inheritance,
        rollout_book,
        session,
        tail,
    )
    from seawall_control.services import operations as operations_service
    from seawall_control.services.alerting import continuity, deliverer, signals
    from seawall_control.store import lanes
    from seawall_control.store.sqlite import readers
    from seawall_policy.compile import layers

    return table(
        ("limit", "value", "what happens beyond it"),
        [
            ("policy document", size(inheritance.MAX_DOCUMENT_BYTES), "`INVALID_REQUEST`"),
            ("policy sets that extend each other in a row", count(layers.MAX_LAYERS), "`INVALID_REQUEST`"),
            (
                "policy sets that change with one that they extend",
                count(followers.MAX_FOLLOWERS),
                "`INVALID_REQUEST`",
            ),
            ("gRPC message", size(grpc_server.MAX_RECEIVE_BYTES), "RESOURCE_EXHAUSTED"),
            ("connected proxies", count(fleet_door.MAX_STREAMS), "`TOO_MANY_STREAMS`"),
            (
                "proxies that connect in a second",
                f"{fleet_door.ACCEPTED_PER_S:g}, {fleet_door.ACCEPTED_AT_ONCE} at once",
                "`TOO_MANY_STREAMS`; they are told to come again in 1 s to 3 s",
            ),
            (
                "age of a proxy's stream",
                f"{length(fleet_door.AGE_S)}, give or take {fleet_door.AGE_SPREAD:.0%}",
                "it ends in order, and the proxy connects anew",
            ),
            ("time for a proxy's Hello", length(fleet_api.HELLO_LIMIT_S), "`HELLO_MISSING`"),
            (
                "time to answer a push",
                length(subscription.ANSWER_LIMIT_S),
                "the proxy stays `pending`; `seawall_control_policy_unanswered_total`",
            ),
            ("time to answer a command", length(commands.COMMAND_TIMEOUT_S), "reported as no answer"),
            ("commands that wait for one proxy", count(session.MAX_COMMANDS), "reported as refused"),
            ("labels of a proxy", count(fleet.MAX_LABELS), "the rest is left out"),
            ("events in one report", count(event_intake.MAX_REPORT), "`INVALID_REQUEST`"),
            ("events resolved by id at once", count(events.MAX_RESOLVE), "`INVALID_REQUEST`"),
            ("message of an event", size(admission.MAX_MESSAGE_BYTES), "cut, visibly"),
            ("stack trace", size(admission.MAX_STACK_BYTES), "cut, visibly"),
            ("details", f"{admission.MAX_DETAILS_NODES} values, {admission.MAX_DEPTH} deep", "cut, visibly"),
            ("attempts of an event", count(admission.MAX_ATTEMPTS), "the first ones are kept"),
            ("filter", f"{filters.MAX_LENGTH} characters, {filters.MAX_TERMS} terms", "`INVALID_FILTER`"),
            ("time for a query", length(readers.LIMIT_S), "`QUERY_TOO_SLOW`"),
            ("changes that wait for the writer", count(lanes.MAX_QUEUED), "the next ones wait"),
            ("stages of a rollout", count(rollout_strategy.MAX_STAGES), "`INVALID_REQUEST`"),
            ("finished rollouts that a policy set keeps", count(rollout_book.KEEP), "the oldest goes"),
            ("operations in effect", count(fleet_operations.MAX_ACTIVE), "`PRECONDITION_FAILED`"),
            ("operations that are kept after their end", count(operations_service.KEEP), "the oldest goes"),
            ("live followers (`events tail`)", count(tail.FOLLOWERS), "`TOO_MANY_STREAMS`"),
            (
                "events that wait for one follower",
                count(tail.QUEUE),
                "the oldest is left out and said so; `seawall_control_tail_skipped_total`",
            ),
            ("readers of `/api/v1/errors/stream`", count(feed.READERS), "`TOO_MANY_STREAMS`"),
            ("events kept in memory for them", count(feed.RING), "a slower reader reads the store"),
            ("time that a WebSocket may take nothing", length(live.STALL_S), "closed"),
            (
                "events of a group stored at once, and then each second",
                f"{flood.FloodLimits().burst}, {flood.FloodLimits().rate:g}",
                "the newest and a sample are stored, all are counted; `seawall_control_events_counted_total`",
            ),
            ("groups", count(groups.MAX_GROUPS), "further fingerprints share the group `overflow`"),
            ("activity of a group", count(groups.MAX_ACTIVITY), "the oldest goes"),
            ("fingerprints merged into a group", count(groups.MAX_MEMBERS), "`INVALID_REQUEST`"),
            ("different keys counted in one bucket", count(rollups.MAX_KEYS), "the rest is under `_other`"),
            ("grouping rules", count(grouping.MAX_RULES), "`INVALID_REQUEST`"),
            ("alert rules", count(checking.MAX_RULES), "`PRECONDITION_FAILED`"),
            ("alert channels", count(checking.MAX_CHANNELS), "`PRECONDITION_FAILED`"),
            ("silences in force", count(checking.MAX_SILENCES), "`PRECONDITION_FAILED`"),
            (
                "alerts of one rule",
                count(engine.MAX_ACTIVE_PER_RULE),
                "further subjects have none; `seawall_control_alert_subjects_left_out_total`",
            ),
            (
                "messages of alerts that wait",
                count(deliverer.MAX_PENDING),
                "further ones have failed at once; `RetryDelivery` sends them",
            ),
            (
                "events that wait for alert rules, each second",
                count(signals.MAX_WAITING),
                "the oldest are left out; `seawall_control_alert_events_missed_total`",
            ),
            ("routes, and kinds of events, that rules count", count(windows.MAX_ROUTES), "the rest is not"),
            (
                "events that windows are filled with after a start",
                count(continuity.MAX_RECALLED),
                "the newest are taken; alerts of before stay until their window has passed",
            ),
            ("HTTP body", size(reading.MAX_BODY_BYTES), "413"),
            ("HTTP body of an RPC", size(methods.MAX_BODY_BYTES), "413"),
            ("time for the head of an HTTP request", length(connection.HEAD_LIMIT_S), "closed"),
            ("time for the body of an HTTP request", length(connection.BODY_LIMIT_S), "closed"),
            ("time that a reader may take nothing", length(connection.STALL_LIMIT_S), "closed"),
            ("API tokens", count(tokens.MAX_TOKENS), "`PRECONDITION_FAILED`"),
            ("enrolment tokens that wait", count(enrolment.MAX_WAITING), "`PRECONDITION_FAILED`"),
            (
                "calls of one caller",
                f"{gate.CALLS_PER_S:g} a second, {count(gate.CALLS_BURST)} at once",
                "`RATE_LIMITED`",
            ),
            (
                "refused calls of one address",
                f"{gate.FAILURES_PER_S:g} a second, {gate.FAILURES_BURST} at once",
                "`RATE_LIMITED`, for those that are refused",
            ),
            (
                "audit entries about refused calls",
                f"{audit.REFUSALS_PER_S:g} a second, {audit.REFUSALS_BURST} at once",
                "counted in the next entry",
            ),
            (
                "days that a `request_id` is remembered",
                f"{requests.KEPT_DAYS} after its own",
                "a repetition is a new request",
            ),
            (
                "answer that is kept with a `request_id`",
                size(requests.MAX_ANSWER_BYTES),
                "`REQUEST_UNANSWERED` to a repetition",
            ),
        ],
    )
