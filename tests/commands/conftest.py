"""A short run of the main job, shared by the tests of several commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirical.cli import main


@pytest.fixture(scope="session")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the paper's printed rows, fitted by two chains of 120 draws."""
    folder = tmp_path_factory.mktemp("short") / "table5"
    draws = ["--chains", "2", "--warmup", "100", "--draws", "120"]
    assert main(["run", *draws, "--out", str(folder)]) in (0, 1)
    return folder
