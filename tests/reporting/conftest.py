"""A run made of constructed tables, for figures and pages."""

from __future__ import annotations

from typing import Any

import pytest

from made_runs import make_run


@pytest.fixture(scope="session")
def run() -> Any:
    """Return a run of three bands and three stars, the last band with one row in SUB64."""
    return make_run()
