#!/usr/bin/env python3
"""Run the Dockerfile's build stage as plain commands in a scratch folder, where no Docker engine is at hand.

    python scripts/image_steps.py DIR     an image's root is played by DIR; the result is DIR/opt/seawall

The Dockerfile itself is read, so the two cannot drift: COPY copies from the tree, RUN runs in a shell,
WORKDIR changes folder, and the absolute paths /src and /opt/seawall stand for folders below DIR. Steps that
install system packages are left out, with a line that says so, and ENV is, because it only tunes pip for
images. --interpreted lets the wheel be built without a C compiler, as an image never would.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
MAPPED: Final = re.compile(r"(?<![\w./-])(/src|/opt/seawall)\b")
TIME_LIMIT_S: Final = 900.0


def instructions(dockerfile: str, stage: str) -> list[tuple[str, str]]:
    """Return the (instruction, rest) pairs of one stage, in order, continuation lines joined."""
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"(?m)^\s*#.*\n", "", dockerfile))
    found: list[tuple[str, str]] = []
    inside = False
    for line in filter(None, (line.strip() for line in joined.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            inside = rest.lower().endswith(f" as {stage}")
        elif inside:
            found.append((word, rest.strip()))
    return found


def copy(arguments: str, context: Path, folder: Path) -> None:
    """Do what COPY does: a folder's contents go into the target, a file keeps its name below a folder."""
    *sources, target = arguments.split()
    destination = folder / target
    for source in sources:
        origin = context / source
        if origin.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.so", "_native.json")  # as .dockerignore has it
            shutil.copytree(origin, destination, dirs_exist_ok=True, ignore=ignored)
        else:
            into = destination / origin.name if target.endswith("/") else destination
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(origin, into)


def run(command: str, image: Path, folder: Path) -> None:
    """Run a shell command with the image's paths and this interpreter as its `python`."""
    mapped = MAPPED.sub(lambda match: f"{image}{match.group(0)}", command)
    mapped = re.sub(r"^python(?= )", sys.executable, mapped)
    print(f"RUN {mapped}", flush=True)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    subprocess.run(["/bin/sh", "-ec", mapped], cwd=folder, env=environment, timeout=TIME_LIMIT_S, check=True)


def main() -> int:
    """Run the steps; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("image", type=Path, metavar="DIR", help="an empty or new folder")
    parser.add_argument("--interpreted", action="store_true", help="allow a wheel without compiled modules")
    options = parser.parse_args()
    image: Path = options.image.resolve()
    folder = image
    for word, rest in instructions((ROOT / "Dockerfile").read_text(encoding="utf-8"), "build"):
        if word == "WORKDIR":
            folder = image / rest.lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            print(f"COPY {rest}", flush=True)
            copy(rest, ROOT, folder)
        elif word == "RUN" and "apt-get" in rest:
            print(f"left out: RUN {rest}")
        elif word == "RUN":
            required = "SEAWALL_REQUIRE_COMPILED=1 "
            run(rest.replace(required, "") if options.interpreted else rest, image, folder)
        elif word != "ENV":
            sys.exit(f"image_steps: do not know how to play {word} {rest}")
    print(f"image_steps: {image}/opt/seawall/bin/seawall is ready")
    return 0


if __name__ == "__main__":
    sys.exit(main())
