"""A pytest plugin for mutants: the first failing example is enough, it need not become a small one."""

from __future__ import annotations

import pytest
from hypothesis import Phase, settings


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Leave out shrinking and explaining, which take longer than finding."""
    settings.register_profile("mutants", settings(), phases=(Phase.explicit, Phase.generate), database=None)
    settings.load_profile("mutants")
