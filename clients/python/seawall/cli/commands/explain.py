"""`seawall explain`: what a call gets and why, and why a recorded call went as it did."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from seawall.cli import exits, render
from seawall.cli.options import connect, control_option, emit, output_option, policy_set_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seawall.v1.policy_pb2 import PolicyDocument
    from seawall_policy.explain import Explanation, Mechanism


@click.command()
@click.argument("method", required=False)
@click.option(
    "--config", "file", metavar="FILE", type=click.Path(), help="Policy file, instead of what is in effect."
)
@click.option(
    "--metadata", "metadata", metavar="KEY=VALUE", multiple=True, help="Metadata of the call; repeatable."
)
@click.option("--event", "event_id", metavar="ID", default="", help="A recorded call, instead of METHOD.")
@policy_set_option
@control_option
@output_option
@click.pass_context
def explain(
    ctx: click.Context,
    method: str | None,
    file: str | None,
    metadata: tuple[str, ...],
    event_id: str,
    policy_set: str,
    target: str,
    output: str,
) -> None:
    """Say which route and policy a call of METHOD gets, and where each number comes from.

    METHOD is `package.Service/Method`. The mechanisms stand in the order in which a call meets them. With
    --config the file decides and no control plane is needed; otherwise the newest revision does.

    With --event: why each decision of a recorded call fell as it did.

    Exit code: 1 when no route matches, when the file has mistakes, or when there is no such event.
    """
    if (method is None) == (not event_id):
        raise click.UsageError("Name a METHOD, or a recorded call with --event.")
    if event_id:
        _event(event_id, target, output)
        return
    assert method is not None
    if "/" not in method.strip("/"):
        raise click.UsageError(f"{method!r} is no method; write package.Service/Method.")
    from seawall_policy.explain import NotUsable
    from seawall_policy.explain import explain as explain_call

    document = _document(ctx, file, policy_set, target)
    try:
        found = explain_call(document, method, [_pair(text) for text in metadata])
    except NotUsable as error:
        click.echo(f"The policy cannot be explained: {error}; see `seawall lint`.", err=True)
        ctx.exit(exits.FAILED)
    emit(output, shape(found), lambda: text_of(found))
    ctx.exit(exits.OK if found.route else exits.FAILED)


def _document(ctx: click.Context, file: str | None, policy_set: str, target: str) -> PolicyDocument:
    if file is not None:
        from seawall.cli import policy_file

        return policy_file.load_or_exit(ctx, file, done="nothing was explained")
    with connect(target) as seawall:
        return seawall.policies.revision(policy_set=policy_set).document


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise click.UsageError(f"{text!r} is no metadata; write KEY=VALUE.")
    return name.lower(), value


def shape(found: Explanation) -> dict[str, Any]:
    """Return an explanation in the stable form of `-o json`."""
    return {
        "method": found.method,
        "route": found.route,
        "passed_over": [{"route": one.route, "why": one.why} for one in found.passed_over],
        "policy": found.policy,
        "line": list(found.line),
        "idempotent": found.idempotent,
        "destinations": [
            {"cluster": cluster, "share": round(share, 6)} for cluster, share in found.destinations
        ],
        "mechanisms": _mechanisms(found.mechanisms),
        "clusters": [
            {"cluster": one.cluster, "fallback": one.fallback, "mechanisms": _mechanisms(one.mechanisms)}
            for one in found.clusters
        ],
        "off": list(found.off),
        "optional": found.optional,
    }


def _mechanisms(found: Sequence[Mechanism]) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "purpose": one.purpose,
            "note": one.note,
            "settings": [
                {"name": setting.name, "value": setting.value, "source": setting.source}
                for setting in one.settings
            ],
        }
        for one in found
    ]


def text_of(found: Explanation) -> str:
    """Return an explanation for a person."""
    passed = "\n".join(f"  {one.route}: {one.why}" for one in found.passed_over)
    if not found.route:
        head = render.fields(
            [("Method", found.method), ("Route", "none: answered with UNIMPLEMENTED (NO_ROUTE)")]
        )
        return f"{head}\n\nPassed over:\n{passed}" if passed else head
    clusters = ", ".join(
        cluster if share == 1.0 else f"{cluster} {render.percent(share)}"
        for cluster, share in found.destinations
    )
    parts = [
        render.fields(
            [
                ("Method", found.method),
                ("Route", found.route),
                ("To", clusters),
                ("Policy", " → ".join(found.line)),
                ("Idempotent", f"yes: {found.idempotent}" if found.idempotent else "no: nothing says so"),
                *([("Optional", found.optional)] if found.optional else []),
            ]
        )
    ]
    if passed:
        parts.append(f"Passed over:\n{passed}")
    parts += [_section(one, f"{number}. ") for number, one in enumerate(found.mechanisms, 1)]
    for inside in found.clusters:
        whose = "the attempt of a fallback" if inside.fallback else "each attempt"
        parts.append(f"For {whose}, in cluster {inside.cluster}:")
        parts += [_section(one) for one in inside.mechanisms]
    if found.off:
        parts.append("Off: " + ", ".join(found.off))
    return "\n\n".join(parts)


def _section(one: Mechanism, number: str = "") -> str:
    title = f"{number}{one.name}: {one.purpose}" if one.purpose else f"{number}{one.name}"
    rows = [
        [f"  {setting.name}", json.dumps(setting.value, ensure_ascii=False), setting.source]
        for setting in one.settings
    ]
    note = f"\n  {one.note}" if one.note else ""
    return f"{title}{note}\n{render.table(['  SETTING', 'VALUE', 'FROM'], rows)}"


def _event(event_id: str, target: str, output: str) -> None:
    from seawall.cli import narrate, shapes

    with connect(target) as seawall:
        item = seawall.events.get(event_id)
    event = shapes.event(item)
    not_retried = item.not_retried or str(event["details"].get("not_retried", ""))
    story = narrate.steps(event, not_retried)
    data = {
        "event": event,
        "not_retried": not_retried,
        "steps": [{"what": step.what, "why": step.why} for step in story],
    }

    def text() -> str:
        head = render.fields(
            [
                ("Event", event["id"]),
                ("Time", event["timestamp"] or "-"),
                (
                    "Call",
                    f"{event['method'] or '-'} on route {event['route'] or '-'} at {event['proxy'] or '-'}",
                ),
                (
                    "Policy",
                    f"revision {event['policy_revision']}"
                    if event["policy_revision"]
                    else "the proxy's file",
                ),
                ("Took", render.latency(event["latency_s"])),
            ]
        )
        lines = [f"{number}. {step.what}\n   {step.why}" for number, step in enumerate(story, 1)]
        return head + "\n\n" + "\n".join(lines)

    emit(output, data, text)
