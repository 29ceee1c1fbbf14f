"""HealingService: decode, call the use case, encode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration

from seawall.v1 import admin_healing_pb2 as pb
from seawall.v1 import admin_healing_pb2_grpc
from seawall_control.api import codec
from seawall_control.api.caller import author, caller_name, person
from seawall_control.api.errors import Context, answered
from seawall_control.domain import paging
from seawall_control.domain.errors import FieldProblem, InvalidRequest
from seawall_control.domain.healing import case_filters
from seawall_control.domain.healing.actions import CATALOGUE, Action
from seawall_control.domain.healing.conditions import UNITS, Condition
from seawall_control.domain.healing.engine import Case, State
from seawall_control.domain.healing.runbooks import Mode, Runbook
from seawall_control.services.healing.runbooks import Kept
from seawall_control.services.healing.service import HealingService

_MODES: Final[Mapping[pb.RunbookMode, Mode]] = {
    pb.RUNBOOK_MODE_UNSPECIFIED: Mode.DRY_RUN,
    pb.RUNBOOK_MODE_OFF: Mode.OFF,
    pb.RUNBOOK_MODE_DRY_RUN: Mode.DRY_RUN,
    pb.RUNBOOK_MODE_APPROVE: Mode.APPROVE,
    pb.RUNBOOK_MODE_AUTO: Mode.AUTO,
}
_MODE_NUMBERS: Final[Mapping[Mode, pb.RunbookMode]] = {
    mode: number for number, mode in _MODES.items() if number != pb.RUNBOOK_MODE_UNSPECIFIED
}
_MAX_REASON: Final = 512
_MAX_ACTOR: Final = 128


def _mode(mode: Mode) -> pb.RunbookMode:
    return _MODE_NUMBERS[mode]


def runbook_message(kept: Kept) -> pb.Runbook:
    """Encode a runbook."""
    runbook = kept.runbook
    message = pb.Runbook(
        name=runbook.name,
        condition=runbook.condition.value,
        threshold=runbook.threshold,
        action=runbook.action.value,
        subject=runbook.subject,
        lasting=codec.seconds(runbook.lasting_s),
        mode=_mode(runbook.mode),
        cooldown=codec.seconds(runbook.cooldown_s),
        max_per_hour=runbook.max_per_hour,
        verify_after=codec.seconds(runbook.verify_after_s),
        approval_ttl=codec.seconds(runbook.approval_ttl_s),
        description=runbook.description,
        etag=kept.etag,
        built_in=kept.version == 0,
    )
    json_format.ParseDict(dict(runbook.parameters), message.parameters)
    return message


def runbook_of(message: pb.Runbook) -> Runbook:
    """Decode a runbook. Raise `InvalidRequest` for words that are not known; the service checks the rest."""
    problems: list[FieldProblem] = []
    if message.condition not in tuple(Condition):
        problems.append(FieldProblem("runbook.condition", f"must be one of {', '.join(Condition)}"))
    if message.action not in tuple(Action):
        problems.append(FieldProblem("runbook.action", f"must be one of {', '.join(Action)}"))
    if message.mode not in _MODES:
        problems.append(
            FieldProblem(
                "runbook.mode",
                f"must be one of {', '.join(map(pb.RunbookMode.Name, _MODE_NUMBERS.values()))}",
            )
        )
    if problems:
        raise InvalidRequest("the runbook has words that are not known", tuple(problems))

    def seconds(name: str, default: float) -> float:
        found: Duration = getattr(message, name)
        return found.ToNanoseconds() / 1e9 if message.HasField(name) else default

    return Runbook(
        name=message.name,
        condition=Condition(message.condition),
        threshold=message.threshold,
        action=Action(message.action),
        parameters=json_format.MessageToDict(message.parameters),
        subject=message.subject or "*",
        lasting_s=seconds("lasting", 60.0),
        mode=_MODES[message.mode],
        cooldown_s=seconds("cooldown", 900.0),
        max_per_hour=message.max_per_hour or 4,
        verify_after_s=seconds("verify_after", 120.0),
        approval_ttl_s=seconds("approval_ttl", 3600.0),
        description=message.description[:1000],
    )


def case_message(case: Case) -> pb.HealingCase:
    """Encode a case."""
    return pb.HealingCase(
        id=case.id,
        runbook=case.runbook.name,
        action=case.runbook.action.value,
        subject=case.subject,
        state=case.state.value,
        start_time=codec.timestamp(case.started_us),
        change_time=codec.timestamp(case.changed_us),
        evidence=case.evidence,
        value=case.value,
        outcome=case.outcome,
        actor=case.actor,
        plan=case.plan,
        asked_by=case.asked_by,
    )


class HealingServicer(admin_healing_pb2_grpc.HealingServiceServicer):
    """seawall.v1.HealingService."""

    def __init__(self, healing: HealingService) -> None:
        self._healing = healing

    async def ListRunbooks(
        self, request: pb.ListRunbooksRequest, context: Context
    ) -> pb.ListRunbooksResponse:
        """Return all runbooks."""

        async def work() -> pb.ListRunbooksResponse:
            found, next_token = paging.short_page(
                self._healing.books.all(),
                lambda kept: (kept.runbook.name,),
                size=request.page_size,
                token=request.page_token,
                scope=("runbooks",),
            )
            return pb.ListRunbooksResponse(
                runbooks=[runbook_message(kept) for kept in found], next_page_token=next_token
            )

        return await answered(context, work())

    async def GetRunbook(self, request: pb.GetRunbookRequest, context: Context) -> pb.GetRunbookResponse:
        """Return one runbook."""

        async def work() -> pb.GetRunbookResponse:
            return pb.GetRunbookResponse(runbook=runbook_message(self._healing.books.get(request.name)))

        return await answered(context, work())

    async def SetRunbook(self, request: pb.SetRunbookRequest, context: Context) -> pb.SetRunbookResponse:
        """Make or replace a runbook."""

        async def work() -> pb.SetRunbookResponse:
            kept = await self._healing.set_runbook(
                runbook_of(request.runbook), etag=request.runbook.etag, validate_only=request.validate_only
            )
            return pb.SetRunbookResponse(runbook=runbook_message(kept))

        return await answered(context, work())

    async def DeleteRunbook(
        self, request: pb.DeleteRunbookRequest, context: Context
    ) -> pb.DeleteRunbookResponse:
        """Delete a runbook."""

        async def work() -> pb.DeleteRunbookResponse:
            await self._healing.books.delete(request.name, etag=request.etag)
            return pb.DeleteRunbookResponse()

        return await answered(context, work())

    async def ListHealingActions(
        self, request: pb.ListHealingActionsRequest, context: Context
    ) -> pb.ListHealingActionsResponse:
        """Return the vocabulary."""

        async def work() -> pb.ListHealingActionsResponse:
            specs, next_token = paging.short_page(
                CATALOGUE.values(),
                lambda spec: (spec.action.value,),
                size=request.page_size,
                token=request.page_token,
                scope=("healing actions",),
            )
            found = pb.ListHealingActionsResponse(next_page_token=next_token)
            if not request.page_token:
                found.conditions.extend(pb.HealingCondition(name=c.value, unit=u) for c, u in UNITS.items())
            for spec in specs:
                action = found.actions.add(name=spec.action.value, help=spec.help, can_undo=spec.can_undo)
                for parameter in spec.parameters:
                    added = action.parameters.add(name=parameter.name, help=parameter.help)
                    if parameter.default is not None:
                        json_format.ParseDict(parameter.default, added.default_value)  # type: ignore[arg-type]
            return found

        return await answered(context, work())

    async def ListHealingCases(
        self, request: pb.ListHealingCasesRequest, context: Context
    ) -> pb.ListHealingCasesResponse:
        """Return open cases, or the record."""

        async def work() -> pb.ListHealingCasesResponse:
            if request.open:
                wanted = case_filters.parse(request.filter)
                cases, next_token = paging.short_page(
                    [case for case in self._healing.open_cases if case_filters.matches(wanted, case)],
                    lambda case: (case.started_us, case.id),
                    size=request.page_size,
                    token=request.page_token,
                    scope=("open cases", request.filter),
                )
                return pb.ListHealingCasesResponse(
                    cases=[case_message(case) for case in cases], next_page_token=next_token
                )
            page = await self._healing.journal.page(
                filter_text=request.filter, size=request.page_size, token=request.page_token
            )
            return pb.ListHealingCasesResponse(
                cases=[case_message(case) for case in page.cases], next_page_token=page.next_token
            )

        return await answered(context, work())

    async def ApproveHealingCase(
        self, request: pb.ApproveHealingCaseRequest, context: Context
    ) -> pb.ApproveHealingCaseResponse:
        """Let a proposal run."""

        async def work() -> pb.ApproveHealingCaseResponse:
            case = await self._healing.approve(
                request.id, actor=author(request.actor)[:_MAX_ACTOR], caller=caller_name(), person=person()
            )
            return pb.ApproveHealingCaseResponse(case=case_message(case))

        return await answered(context, work())

    async def RejectHealingCase(
        self, request: pb.RejectHealingCaseRequest, context: Context
    ) -> pb.RejectHealingCaseResponse:
        """End a proposal."""

        async def work() -> pb.RejectHealingCaseResponse:
            case = await self._healing.reject(
                request.id, actor=author(request.actor)[:_MAX_ACTOR], reason=request.reason[:_MAX_REASON]
            )
            return pb.RejectHealingCaseResponse(case=case_message(case))

        return await answered(context, work())

    async def RunRunbook(self, request: pb.RunRunbookRequest, context: Context) -> pb.RunRunbookResponse:
        """Do now what a runbook does."""

        async def work() -> pb.RunRunbookResponse:
            case = await self._healing.run_now(
                request.name,
                subject=request.subject,
                actor=author(request.actor)[:_MAX_ACTOR],
                caller=caller_name(),
                person=person(),
                validate_only=request.validate_only,
            )
            return pb.RunRunbookResponse(case=case_message(case))

        return await answered(context, work())

    async def Diagnose(self, request: pb.DiagnoseRequest, context: Context) -> pb.DiagnoseResponse:
        """Look at everything now."""

        async def work() -> pb.DiagnoseResponse:
            return pb.DiagnoseResponse(
                observations=[
                    pb.HealingObservation(
                        condition=d.observation.condition.value,
                        subject=d.observation.subject,
                        value=d.observation.value,
                        unit=UNITS[d.observation.condition],
                        text=d.observation.text,
                        verdicts=[
                            pb.HealingVerdict(runbook=v.runbook, holds=v.holds, mode=_mode(v.mode))
                            for v in d.verdicts
                        ],
                    )
                    for d in await self._healing.diagnose()
                ]
            )

        return await answered(context, work())

    async def GetHealingStats(
        self, request: pb.GetHealingStatsRequest, context: Context
    ) -> pb.GetHealingStatsResponse:
        """Return numbers."""

        async def work() -> pb.GetHealingStatsResponse:
            effect = self._healing.effect()
            helped = sum(n for (_, state), n in effect.items() if state == State.HELPED)
            judged = helped + sum(n for (_, state), n in effect.items() if state == State.NOT_HELPED)
            return pb.GetHealingStatsResponse(
                counts=[
                    pb.HealingCount(action=action, state=state, cases=n)
                    for (action, state), n in sorted(effect.items())
                ],
                effectiveness=helped / judged if judged else None,
                open=len(self._healing.open_cases),
            )

        return await answered(context, work())
