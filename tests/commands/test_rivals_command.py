"""`mirical rivals` and runs with another time law, from the command line on the paper's rows."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.table import QTable

from miri_facts import MIRI
from mirical.calibration.factors import Query
from mirical.calibration.posterior import PosteriorCalibration
from mirical.calibration.store import read_run
from mirical.cli import main
from written import content

SHORT = ["--chains", "2", "--warmup", "100", "--draws", "60"]
CARD = 'base = "two-exponentials"\n[term.visit_offset]\nuse = false\n'


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run with a card based on one that is based on the default."""
    folder = tmp_path_factory.mktemp("rivals")
    (folder / "own.toml").write_text(CARD)
    main(["run", *SHORT, "--model", str(folder / "own.toml"), "--out", str(folder / "run")])
    return folder / "run"


def test_a_run_holds_its_card_and_those_it_is_based_on(run: Path):
    assert (run / "own.toml").read_text() == CARD
    assert (run / "hierarchical.toml").is_file() and (run / "two-exponentials.toml").is_file()
    assert 'time_law" = "two-exponentials"' in (run / "job.toml").read_text()
    assert "visit_scale" not in read_run(run).posterior["posterior"]


def test_factors_follow_the_time_law_of_the_run(run: Path):
    posterior = read_run(run).posterior
    draws = posterior["posterior"].to_dataset().stack(draw_=("chain", "draw"))
    at = {n: draws[n].sel(band="F1500W").values for n in ("A", "loss", "tau")}
    share, ratio = draws["slow_share"].values, draws["slow_ratio"].values
    decay = (1 - share) * np.exp(-500 / at["tau"]) + share * np.exp(-500 / (ratio * at["tau"]))
    expected = at["A"] / (1 + np.expm1(at["loss"]) * decay)
    found = PosteriorCalibration.of(posterior, MIRI).at(
        Query.of(MIRI, "F1500W", "FULL", 59720 + 500.0)
    )
    assert found.mean[0] == pytest.approx(expected.mean(), rel=1e-12)


OPTIONS = "--models", "hierarchical", "pipeline", "--cuts", "1"


def test_rivals_are_compared_and_stacked(run: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["rivals", str(run), *OPTIONS]) == 1  # so few draws must not be believed
    said = capsys.readouterr().out
    assert "predicts left-out rows best" in said and "The stack" in said
    models = QTable.read(run / "rivals" / "models.ecsv", format="ascii.ecsv")
    assert set(models["model"]) == {"hierarchical", "pipeline"}
    assert models["behind"][0] == 0 and np.sum(models["weight"]) == pytest.approx(1, abs=0.002)
    forecast = QTable.read(run / "rivals" / "forecast.ecsv", format="ascii.ecsv")
    assert set(forecast["model"]) == {"hierarchical", "pipeline", "stack"}
    assert forecast["mjd"].value.max() == 62502
    assert np.all(forecast["c_q16"] < forecast["c_q84"])
    hindcasts = QTable.read(run / "rivals" / "hindcasts.ecsv", format="ascii.ecsv")
    assert np.all(hindcasts["rows_before"] + hindcasts["rows_after"] == 30)
    page = (run / "rivals" / "rivals.html").read_text()
    assert page.index('id="verdict"') < page.index('id="model-table"')
    for name in ("models", "forecast", "hindcasts"):
        assert (run / "rivals" / "figures" / f"{name}.png").stat().st_size > 5000
    assert list(run.glob("*.unfinished")) == []


@pytest.mark.slow
def test_a_killed_command_goes_on_to_the_same_bytes(run: Path, tmp_path: Path):
    command = ["rivals", str(run), *OPTIONS]
    assert main([*command, "--out", str(tmp_path / "whole")]) == 1
    (tmp_path / "killed").mkdir()
    assert resumed(command, tmp_path / "killed") == content(tmp_path / "whole")


def resumed(command: list[str], folder: Path) -> dict[str, bytes]:
    """Return what a command leaves that is killed after its first fit and given again."""
    line = [*command, "--out", str(folder / "out")]
    code = "import sys; from mirical.cli import main; sys.exit(main())"
    killed = subprocess.Popen([sys.executable, "-c", code, *line])
    while not list(folder.glob("out.unfinished/*.npz")) and killed.poll() is None:
        time.sleep(0.05)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL and not (folder / "out").exists()
    assert main(line) == 1
    assert [path.name for path in folder.iterdir()] == ["out"]
    return content(folder / "out")


MISTAKES = {
    "rivals nowhere": "mirical: run 'nowhere' does not exist",
    "rivals {run} --cuts -1": "mirical: rivals: --cuts is -1; expected 0 to 100.",
    "rivals {run} --models hierarchcal": "no model card 'hierarchcal' is shipped",
    "rivals {run} --models pipeline pipeline": "two --models have the same name; rename one.",
    "rivals {run} --out {run}/job.toml": "is a file; --out needs a folder.",
}


@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistake_is_one_sentence(run: Path, command: str, capsys: pytest.CaptureFixture[str]):
    assert main(command.format(run=run).split()) == 2
    assert MISTAKES[command] in capsys.readouterr().err


def test_a_program_of_another_law_says_so(tmp_path: Path):
    command = ["simulate", "--seed", "3", "--law", "exponential-linear", "--out", str(tmp_path)]
    assert main(command) == 0
    truth = QTable.read(tmp_path / "truth.ecsv", format="ascii.ecsv")
    rates = truth["value"][truth["quantity"] == "loss_per_year"]
    assert len(rates) == 14 and np.all(rates > 0)
    assert truth.meta["law"] == "exponential-linear"
    assert json.dumps(truth.meta["simulated"]) == "true"
