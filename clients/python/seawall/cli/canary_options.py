"""Options that say how a revision is rolled out by stages, and the plan that they make."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from seawall.cli.options import DURATION, WholeRange

if TYPE_CHECKING:
    from seawall.v1.admin_rollouts_pb2 import RolloutStrategy

F = TypeVar("F", bound=Callable[..., Any])

_SHARE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*%(?:\s+of\s+(.+))?")


class PercentType(click.ParamType[float]):
    """A percentage: `10%` or `10`."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return a number from 0 to 100."""
        if isinstance(value, int | float):
            return float(value)
        text = str(value).strip().removesuffix("%").strip()
        if not re.fullmatch(r"\d+(\.\d+)?", text) or float(text) > 100:
            self.fail(f"{value!r} is no percentage from 0% to 100%.", param, ctx)
        return float(text)


PERCENT: Final = PercentType()


@dataclass(frozen=True, slots=True)
class How:
    """How a document is to become the newest revision."""

    plan: RolloutStrategy | None = None
    """None: at every proxy at once."""
    supersede: bool = False
    allow_shrink: bool = False


def rollout_options(command: F) -> F:
    """Add the options; the command gets them as `how`."""

    @wraps(command)
    def with_plan(*args: Any, canary: tuple[str, ...], **values: Any) -> Any:
        names = ("bake", "max_errors", "max_rejections", "max_latency_ratio", "min_calls", "patience")
        given = {name: values.pop(name) for name in names}
        if not canary and any(value is not None for value in given.values()):
            raise click.UsageError("--bake and the guards belong to a rollout by stages: add --canary 10%.")
        how = How(
            make_plan(canary, **given) if canary else None,
            supersede=values.pop("supersede"),
            allow_shrink=values.pop("allow_shrink"),
        )
        return command(*args, how=how, **values)

    options = (
        click.option(
            "--canary",
            metavar="WHO",
            multiple=True,
            help="A stage of the rollout: `10%`, a label selector such as `tier=canary`, or `20% of zone=a`. "
            "Repeat it for more stages; after the last one everybody gets the revision.",
        ),
        click.option(
            "--bake", type=DURATION, help="How long each stage has to hold, 0s to 168h; default 5m."
        ),
        click.option("--max-errors", type=PERCENT, help="Most points more failed calls; default 1%."),
        click.option("--max-rejections", type=PERCENT, help="Most points more rejected calls; default 1%."),
        click.option("--max-latency-ratio", type=float, help="Largest factor on the p99; default 1.5."),
        click.option(
            "--min-calls",
            type=WholeRange(0),
            help="Calls that each stage needs, 0 for none; default 100.",
        ),
        click.option(
            "--patience", type=DURATION, help="How long a stage may lack calls before a pause; default 1h."
        ),
        click.option(
            "--supersede",
            is_flag=True,
            help="Take the place of a rollout that is under way; else it is an error.",
        ),
        click.option(
            "--allow-shrink", is_flag=True, help="Let all routes go, or more than half of 10 or more."
        ),
    )
    decorated: Any = with_plan
    for option in reversed(options):
        decorated = option(decorated)
    found: F = decorated
    return found


def make_plan(
    canary: tuple[str, ...],
    *,
    bake: float | None = None,
    max_errors: float | None = None,
    max_rejections: float | None = None,
    max_latency_ratio: float | None = None,
    min_calls: int | None = None,
    patience: float | None = None,
) -> RolloutStrategy:
    """Return the plan that the options mean; what is not given is the control plane's default."""
    from seawall.client.calls import duration
    from seawall.v1.admin_rollouts_pb2 import RolloutGuards, RolloutStage, RolloutStrategy

    stages = []
    for text in canary:
        share = _SHARE.fullmatch(text.strip())
        stage = RolloutStage(selector=text.strip())
        if share is not None:
            stage = RolloutStage(percent=float(share[1]), selector=share[2] or "")
        if bake is not None:
            stage.bake.CopyFrom(duration(bake))
        stages.append(stage)
    plan = RolloutStrategy(
        stages=stages,
        guards=RolloutGuards(
            max_error_increase_percent=max_errors,
            max_rejected_increase_percent=max_rejections,
            max_latency_ratio=max_latency_ratio,
            min_calls=min_calls,
        ),
    )
    if patience is not None:
        plan.patience.CopyFrom(duration(patience))
    return plan
