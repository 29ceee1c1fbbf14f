"""Options of long-running commands from the environment, for containers and units."""

from __future__ import annotations

from typing import Any

import click


def variable(command: str, option: str) -> str:
    """Return the variable of an option: `SEAWALL_`, the command, the option in capitals."""
    return f"SEAWALL_{command}_{option.lstrip('-')}".replace("-", "_").upper()


class FromEnvironment(click.Command):
    """A command each of whose options has a variable; what is said on the command line wins.

    An option that may be given several times takes its values separated by spaces.
    """

    def __init__(self, name: str | None, **attributes: Any) -> None:
        super().__init__(name, **attributes)
        for parameter in self.params:
            if isinstance(parameter, click.Option) and parameter.envvar is None:
                long = next((word for word in parameter.opts if word.startswith("--")), "")
                parameter.envvar = variable(name or "", long) if long else None
