"""`seawall describe policy`: a policy set written out, and where each of its settings comes from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from seawall.cli import exits, render
from seawall.cli.options import WholeRange, connect, control_option, emit, output_option, policy_set_option
from seawall_policy import fieldpath

if TYPE_CHECKING:
    from seawall.v1.admin_policies_pb2 import DescribePolicyResponse

VALUE_WIDTH = 80


@click.command("policy")
@click.argument("path", required=False)
@click.option("--revision", type=WholeRange(1), help="A revision; default the newest.")
@click.option(
    "-f", "--file", type=click.Path(), help="Instead of a revision: this file, as it would be applied now."
)
@policy_set_option
@control_option
@output_option
@click.pass_context
def describe_policy(
    ctx: click.Context,
    path: str | None,
    revision: int | None,
    file: str | None,
    policy_set: str,
    target: str,
    output: str,
) -> None:
    """Say what a policy set comes to with everything that it extends, and where each setting comes from.

    PATH shows only what is under it, such as `policies.standard`, `routes[checkout]`, or a policy's name.
    """
    if revision is not None and file is not None:
        raise click.UsageError("Name a --revision or a --file, not both.")
    from seawall.cli import policy_file
    from seawall.cli.commands.policy import base_of

    with connect(target) as seawall:
        document = None
        if file is not None:
            document = policy_file.load_or_exit(
                ctx, file, code=exits.USAGE, done="nothing is described", base=base_of(seawall)
            )
        found = seawall.policies.describe(document, revision=revision or 0, policy_set=policy_set)
    shape = _shape(found, path or "")
    emit(output, shape, lambda: _text(shape))


def _shape(found: DescribePolicyResponse, under: str) -> dict[str, Any]:
    if under in found.document.policies:
        under = fieldpath.member("policies", under)
    return {
        "layers": [{"policy_set": one.policy_set, "revision": one.revision} for one in found.layers],
        "behind": found.behind,
        "extended_by": list(found.extended_by),
        "settings": [
            {
                "field": one.field,
                "value": json.loads(one.value),
                "policy_set": found.layers[one.layer].policy_set,
                "revision": found.layers[one.layer].revision,
            }
            for one in found.settings
            if not under or one.field == under or one.field.startswith((f"{under}.", f"{under}["))
        ],
    }


def _text(shape: dict[str, Any]) -> str:
    own, *bases = [_name(layer) for layer in shape["layers"]]
    lines = [("Policy set", own), ("Extends", " -> ".join(bases) or "nothing")]
    if shape["behind"]:
        lines.append(("Behind", "what it extends has changed since; apply it again to follow"))
    lines.append(("Extended by", ", ".join(shape["extended_by"]) or "nobody"))
    rows = [
        [
            item["field"],
            render.clip(json.dumps(item["value"], ensure_ascii=False), VALUE_WIDTH),
            _name(item),
        ]
        for item in shape["settings"]
    ]
    table = render.table(["SETTING", "VALUE", "FROM"], rows) if rows else "Nothing is set there."
    return f"{render.fields(lines)}\n\n{table}"


def _name(layer: dict[str, Any]) -> str:
    number = layer["revision"]
    return f"{layer['policy_set']} {number}" if number else f"{layer['policy_set']} (not applied)"
