"""Reads small files (rules, channels, runbooks) as YAML or JSON, and says what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

MAX_CHARACTERS: Final = 1024 * 1024
MAX_VALUES: Final = 100_000
"""Values of one file, counted as often as aliases repeat them: a short file can stand for a billion."""
_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"


def read_data(file: Any) -> Any:
    """Return what a text file holds. Raise `click.ClickException` with its name for what is no YAML.

    A date is text: nothing that is read here has one, and names may look like one.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, shape) for tag, shape in found if tag != _TIMESTAMP]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    try:
        text = file.read(MAX_CHARACTERS + 1)
        if len(text) > MAX_CHARACTERS:
            raise click.ClickException(f"{file.name}: is longer than {MAX_CHARACTERS} characters")
        value = yaml.load(text, Loader)  # noqa: S506 - a SafeLoader that knows less
        if _count(value, MAX_VALUES) > MAX_VALUES:
            raise click.ClickException(f"{file.name}: its aliases stand for more than {MAX_VALUES} values")
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file.name}: is no UTF-8 text: {error.reason}") from error
    except RecursionError:
        raise click.ClickException(f"{file.name}: is nested too deep") from None
    except (yaml.YAMLError, ValueError) as error:
        raise click.ClickException(f"{file.name}: {error}") from error
    return value


def _count(value: Any, most: int) -> int:
    """Return how many values there are, or any number above `most` when there are more."""
    waiting, found = [value], 0
    while waiting and found <= most:
        found += 1
        one = waiting.pop()
        if isinstance(one, Mapping):
            waiting += one.values()
        elif isinstance(one, Sequence) and not isinstance(one, str | bytes):
            waiting += one
        if len(waiting) > most:
            return len(waiting)
    return found
