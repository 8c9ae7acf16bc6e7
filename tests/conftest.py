"""What all tests share: double precision, repeatable examples, the public files beside us."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from mirical.inference import runtime

# Strict dtype promotion is left off: numpyro mixes Python scalars and arrays freely.
runtime.configure()

ROOT = Path(__file__).parents[1]

settings.register_profile(
    "repeatable",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def root() -> Path:
    """Top folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of public files beside the repository; the test is skipped where it is absent."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("../shared is absent: it holds public files that are not ours to commit")
    return folder


@pytest.fixture(scope="session")
def calspec(shared: Path) -> Path:
    """Folder of CALSPEC spectra."""
    folder = shared / "calspec"
    if not folder.is_dir():
        pytest.skip("../shared/calspec is absent: no CALSPEC spectra to integrate")
    return folder
