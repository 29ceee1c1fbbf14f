"""`seawall version`: what is installed, and which form of the hot modules runs. Fast: it imports no gRPC."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version

import click

from seawall.cli import render
from seawall.cli.options import emit, output_option


def _installed(name: str) -> str:
    try:
        return installed_version(name)
    except PackageNotFoundError:
        return "not installed"


@click.command()
@output_option
def version(output: str) -> None:
    """Say what is installed and whether it runs compiled.

    The hot modules run compiled with mypyc where they were built with a C compiler, and as the same source
    interpreted everywhere else; SEAWALL_INTERPRETED=1 chooses the source. `stale` means that a source changed
    after the build.
    """
    from seawall import __version__
    from seawall_policy._native import build_info

    info = build_info()
    data = {
        "seawall": __version__,
        "native": info.state,
        "native_modules": info.modules,
        "native_forced_off": info.forced,
        "native_changed": list(info.changed),
        "python": platform.python_version(),
        "python_implementation": platform.python_implementation(),
        "grpcio": _installed("grpcio"),
        "protobuf": _installed("protobuf"),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
    }

    def text() -> str:
        return render.fields(
            [
                ("seawall", __version__),
                ("hot modules", str(info)),
                ("python", f"{data['python_implementation']} {data['python']}"),
                ("grpcio", str(data["grpcio"])),
                ("protobuf", str(data["protobuf"])),
                ("platform", str(data["platform"])),
            ]
        )

    emit(output, data, text)
