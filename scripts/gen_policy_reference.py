#!/usr/bin/env python3
"""Write docs/reference/policy-file.md from the comments in policy.proto, and lint-codes.md from the table of
codes.

python scripts/gen_policy_reference.py write both pages python scripts/gen_policy_reference.py --check write
nothing; exit 1 and name each page that differs
"""

from __future__ import annotations

import argparse
import importlib.resources
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "reference"
SOURCE = "seawall/v1/policy.proto"

for folder in ("clients/python", "control", "proxy"):
    sys.path.insert(0, str(ROOT / folder))

from google.protobuf import descriptor_pb2  # noqa: E402
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor  # noqa: E402

from seawall.v1 import options_pb2, policy_pb2  # noqa: E402
from seawall_policy import reasons  # noqa: E402
from seawall_policy.builtin import DESCRIPTIONS, builtin_documents  # noqa: E402
from seawall_policy.compile import codes  # noqa: E402
from seawall_policy.compile.options import is_scalar_ok, shorthand_of, unit_of  # noqa: E402
from seawall_proxy.config import render_policies  # noqa: E402
from seawall_proxy.config.scalars import enum_words  # noqa: E402
from seawall_proxy.config.schema import LATER, is_map, spec_of, value_field  # noqa: E402

POLICY_HEAD = """\
# The policy file

Generated from `proto/seawall/v1/policy.proto` by `scripts/gen_policy_reference.py`; do not edit.

A policy file is a proxy's stand-alone configuration and the body of a control-plane revision. It is YAML;
JSON is read as the YAML that it is, and a file whose name ends in `.toml` as TOML. `seawall lint FILE` checks
it with the compiler that the proxy uses; [lint-codes.md](lint-codes.md) explains what it may say, and
`examples/policy.yaml` shows a whole file.

## How values are spelled

- **Durations** have a unit: `50ms`, `1.5s`, `1m30s` (h, m, s, ms, us, ns). A bare number is refused.
- **Percentages** are `50%` or `50`. **Ratios** such as `jitter` are plain numbers.
- **Sizes** are `64KiB`, `10MiB`, `1GiB`, `10MB`, or a bare number of bytes.
- **Choices** are lower case: `least_request`. **Status codes** are the upper-case names of gRPC.
- **Text** is taken as it stands: `no`, `on`, `1:30` and `012` are words where text is wanted, and never
  become booleans, minutes or octal numbers elsewhere.
- `${env:NAME}` and `${env:NAME:-default}` are replaced inside values; `$${` stands for a plain `${`. Inside
  `{}` and `[]` YAML wants quotes around them.
- Keys that start with `x-` are ignored; anchors, aliases and merge keys (`<<`) work. Every other unknown key
  is an error, and so is a key that is given twice.
- A file may hold 4 MiB, 200000 values and 64 levels.

## Inheritance

A policy may `extends:` another one or a built-in one, up to sixteen in a row. Its own settings win one by
one: a child that sets `breaker.min_calls` keeps the rest of its parent's breaker. Lists and durations are
replaced as a whole. What a policy mentions nowhere is off: no timeout, a single attempt, no breaker, no
fallback.

## Which route is taken

A route for service and method goes before one for the service, that one before one for everything; among
equals the one with more metadata conditions goes first, then the order of the file. A call that no route
matches is answered with UNIMPLEMENTED.

"""

CODES_HEAD = """\
# Lint codes

Generated from `seawall_policy/compile/codes.py` by `scripts/gen_policy_reference.py`; do not edit.

Everything that `seawall lint`, `seawall apply` or a starting proxy has to say about a policy has a code that
never changes its meaning. Errors keep a policy from being used; warnings do not.

| code | | meaning | explanation |
|---|---|---|---|
"""

WARNINGS_BELOW_500 = {codes.STATIC_PARTIAL, codes.NO_SUCH_METHOD}


def comments() -> dict[str, str]:
    """Return the comment of every message, field, enumeration and choice of the policy schema by full
    name.
    """
    from grpc_tools import protoc

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "policy.binpb"
        includes = [str(ROOT / "proto"), str(importlib.resources.files("grpc_tools") / "_proto")]
        arguments = ["protoc", *(f"-I{include}" for include in includes)]
        code = protoc.main([*arguments, f"--descriptor_set_out={out}", "--include_source_info", SOURCE])
        if code != 0:
            sys.exit(f"gen_policy_reference: protoc failed with exit code {code}; its messages are above")
        file = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file[0]
    found = {}
    for location in file.source_code_info.location:
        name = _name(file, tuple(location.path))
        if name:
            found[f"{file.package}.{name}"] = " ".join(location.leading_comments.split())
    return found


def _name(file: descriptor_pb2.FileDescriptorProto, path: tuple[int, ...]) -> str:
    """Return the name that a path of SourceCodeInfo leads to: 4 are messages, 5 enumerations, 2 their
    members.
    """
    if path[:1] not in ((4,), (5,)) or len(path) not in (2, 4) or path[2:3] not in ((), (2,)):
        return ""
    top = file.message_type[path[1]] if path[0] == 4 else file.enum_type[path[1]]
    if len(path) == 2:
        return top.name
    if isinstance(top, descriptor_pb2.DescriptorProto):
        return f"{top.name}.{top.field[path[3]].name}"
    return f"{top.name}.{top.value[path[3]].name}"


def policy_page() -> str:
    """Return the page about the policy file."""
    texts = comments()
    parts = [POLICY_HEAD]
    seen: list[Descriptor] = []
    _collect(policy_pb2.PolicyDocument.DESCRIPTOR, seen)  # type: ignore[arg-type]
    parts.extend(_message(message, texts) for message in seen)
    parts.append(_when())
    parts.append(_builtin())
    parts.append(_later())
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _collect(message: Descriptor, seen: list[Descriptor]) -> None:
    """Add a message and, depth first, those inside it."""
    if message in seen:
        return
    seen.append(message)
    for field in message.fields:
        kind = value_field(field).message_type if is_map(field) else field.message_type
        if kind is not None and kind.full_name.startswith("seawall."):
            _collect(kind, seen)


def _message(message: Descriptor, texts: dict[str, str]) -> str:
    title = "The document" if message.name == "PolicyDocument" else message.name
    lines = [f"## {title}", "", texts[message.full_name], ""]
    short = shorthand_of(message)
    if short:
        lines += [f"May be spelled as its `{short}` alone.", ""]
    lines += ["| key | value | |", "|---|---|---|"]
    for field in message.fields:
        text = texts[field.full_name]
        if field.enum_type is not None:
            text += " " + _choices(field.enum_type, texts)
        lines.append(f"| `{field.name}` | {_kind(field)} | {text.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def _choices(enum: EnumDescriptor, texts: dict[str, str]) -> str:
    """Return the choices with their comments; protobuf names values beside, not inside, their enumeration."""
    words = []
    for word, number in enum_words(enum).items():
        name = enum.values_by_number[number].name
        words.append(f"`{word}`: {texts[f'{enum.full_name}.{name}']}")
    return "<br>" + "<br>".join(words)


def _kind(field: FieldDescriptor) -> str:
    if is_map(field):
        inner = value_field(field)
        return f"mapping from name to {_single(inner)}"
    if field.is_repeated:
        return f"list of {_single(field)}" + (", or a single one" if is_scalar_ok(field) else "")
    return _single(field)


def _single(field: FieldDescriptor) -> str:
    kind = field.message_type
    if kind is not None:
        if kind.full_name == "google.protobuf.Duration":
            return "duration"
        if kind.full_name == "google.protobuf.Value":
            return "any value"
        return f"[{kind.name}](#{kind.name.lower()})"
    if field.enum_type is not None:
        return "choice"
    if unit_of(field) == options_pb2.UNIT_PERCENT:
        return "percentage"
    if unit_of(field) == options_pb2.UNIT_STATUS_CODE:
        return "status code"
    if unit_of(field) == options_pb2.UNIT_SIZE:
        return "size"
    names = {
        FieldDescriptor.TYPE_STRING: "text",
        FieldDescriptor.TYPE_BOOL: "true or false",
        FieldDescriptor.TYPE_UINT32: "whole number",
        FieldDescriptor.TYPE_DOUBLE: "number",
        FieldDescriptor.TYPE_BYTES: "base64",
    }
    return names[field.type]


def _when() -> str:
    named = ", ".join(f"`{reason}`" for reason in reasons.ANSWERABLE)
    return f"## What `when` may name\n\nEvery gRPC status but OK, `any`, and these reasons: {named}.\n"


def _builtin() -> str:
    lines = ["## Built-in policies", "", "A route without a policy gets `builtin/standard`.", ""]
    lines += [f"- `{name}`: {text}" for name, text in DESCRIPTIONS.items()]
    lines += ["", "`seawall get policies --builtin -o yaml` shows them:", "", "```yaml"]
    lines += [render_policies(builtin_documents()).rstrip("\n"), "```"]
    return "\n".join(lines)


def _later() -> str:
    lines = [
        "## Reserved keys",
        "",
        (
            "These names are fixed for settings that this version cannot carry out. They are refused, not "
            "ignored."
        ),
        "",
        "| in | keys |",
        "|---|---|",
    ]
    for message in policy_pb2.DESCRIPTOR.message_types_by_name.values():
        keys = ", ".join(
            f"`{key}`" for key in LATER.get(message.name, {}) if key not in spec_of(message).keys
        )
        if keys:
            lines.append(f"| {message.name} | {keys} |")
    return "\n".join(lines)


def codes_page() -> str:
    """Return the page about lint codes."""
    lines = []
    for code, (title, explanation) in codes.MEANINGS.items():
        warning = code >= "SW0500" or code in WARNINGS_BELOW_500
        lines.append(f"| {code} | {'warning' if warning else 'error'} | {title} | {explanation} |")
    return CODES_HEAD + "\n".join(lines) + "\n"


def main() -> int:
    """Write or check both pages; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page differs")
    check: bool = parser.parse_args().check
    stale = 0
    for name, text in (("policy-file.md", policy_page()), ("lint-codes.md", codes_page())):
        page = PAGES / name
        if page.exists() and page.read_text(encoding="utf-8") == text:
            continue
        if check:
            print(
                f"{page.relative_to(ROOT)} is not fresh; run python scripts/gen_policy_reference.py",
                file=sys.stderr,
            )
            stale = 1
        else:
            PAGES.mkdir(parents=True, exist_ok=True)
            page.write_text(text, encoding="utf-8")
            print(f"wrote {page.relative_to(ROOT)}")
    return stale


if __name__ == "__main__":
    sys.exit(main())
