"""`mirical sbc RUN`: calibration at a run's rows, from the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from astropy.table import Table

from mirical.cli import main


@pytest.fixture(scope="module")
def run(short_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Of its own: the study is written into the run's folder.
    return Path(shutil.copytree(short_run, tmp_path_factory.mktemp("run") / short_run.name))


@pytest.mark.slow
def test_command_on_a_run(run: Path, capsys: pytest.CaptureFixture[str]):
    command = ["sbc", str(run), "--replicates", "4", "--warmup", "100", "--draws", "40"]
    assert main(command) == 1  # the run has too few draws to be believed
    printed = capsys.readouterr()
    assert "SIMULATED ROWS beside the run's own" in printed.out
    assert "must not be believed" in printed.err
    folder = run / "sbc"
    assert {path.name for path in folder.iterdir()} == {"ranks.jsonl", "sbc.ecsv", "ranks.png"}
    table = Table.read(folder / "sbc.ecsv", format="ascii.ecsv")
    assert "posterior of a run's rows" in table.meta["title"] and len(table.meta["posterior"]) == 64
    ranks = folder / "ranks.jsonl"
    header, *rest = ranks.read_text().splitlines()
    other = json.loads(header) | {"posterior": "of another run"}
    ranks.write_text("\n".join([json.dumps(other), *rest]) + "\n")
    assert main(command) == 2
    assert "holds ranks of another posterior" in capsys.readouterr().err


def test_a_run_keeps_its_card(short_run: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["sbc", str(short_run), "--model", "pooled"]) == 2
    assert "a run has its own card" in capsys.readouterr().err
    assert main(["sbc", str(short_run / "figures")]) == 2
    assert "no job.toml there" in capsys.readouterr().err
