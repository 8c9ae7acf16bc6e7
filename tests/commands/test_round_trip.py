"""From the truth to images, to rows, to a posterior, and back to the truth.

A minute, so run by `make check-slow`; `tests/simulation/test_scenes.py` recovers a smaller program.
"""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from PIL import Image

from miri_facts import MIRI
from mirical.calibration.factors import Query
from mirical.calibration.store import open_calibration, read_run
from mirical.cli import main
from mirical.simulation.scene_program import scene_program, write_mosaics
from mirical.simulation.simulated_program import SimulatedProgram
from simulated_outputs import says_simulated, silent, undescribed

pytestmark = pytest.mark.slow

BANDS = "F770W", "F1000W", "F1500W"
N_STARS = 10
SEED = 11


def rows_of(program) -> list[int]:
    """Return up to three rows, years apart, of each of ten stars in each of three bands."""
    table = program.photometry
    kept: list[int] = []
    without_spectrum = ("C26202", "SNAP-2")
    seen = [str(name) for name in table["name"] if str(name) not in without_spectrum]
    common = sorted(set(seen), key=lambda name: (-seen.count(name), name))[:N_STARS]
    for star in common:
        for band in BANDS:
            rows = [
                i
                for i, row in enumerate(table)
                if str(row["name"]) == star and str(row["filter"]) == band
            ]
            kept += [rows[0], rows[len(rows) // 2], rows[-1]] if len(rows) > 2 else rows
    return sorted(set(kept))


@pytest.fixture(scope="module")
def program() -> SimulatedProgram:
    return scene_program(SEED, "perturbed")


@pytest.fixture(scope="module")
def fitted(
    program: SimulatedProgram, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, int, str]:
    """Return the folder of the rows and the run, the run's exit status, and what was printed."""
    folder = tmp_path_factory.mktemp("round")
    kept = rows_of(program)
    stars = {str(program.photometry["name"][i]) for i in kept}
    assert len(stars) == N_STARS
    images = folder / "images"
    images.mkdir()
    assert len(list(write_mosaics(program, kept, SEED, images))) == len(kept) > 50
    rows, run = folder / "rows.ecsv", folder / "run"
    assert main(["photometry", str(images), "--out", str(rows)]) == 0
    settings = ["--chains", "2", "--warmup", "400", "--draws", "500", "--out", str(run)]
    with redirect_stdout(StringIO()) as said:
        status = main(["run", "--photometry", str(rows), *settings])
    return folder, status, said.getvalue()


def test_images_of_a_program_give_back_its_calibration(
    program: SimulatedProgram, fitted: tuple[Path, int, str]
):
    """Factors in three bands at three dates against the truth.

    Nine errors in units of their sigma, common to a band or to all: none beyond 3.5, false
    alarm 1 in 500; and sigma is 0.3 to 2 %, so that this says something.
    """
    folder, status, said = fitted
    run = folder / "run"
    assert "SIMULATED DATA" in said
    assert status in (0, 1)  # 1000 draws may be too few to be believed to the last digit
    assert silent(run) == [] and says_simulated(folder / "rows.ecsv")
    assert {t.name: undescribed(t) for t in run.glob("*.ecsv") if undescribed(t)} == {}
    mjd = [59760.0, 60100.0, 60700.0]
    query = Query.of(MIRI, list(np.repeat(BANDS, 3)), ["FULL"] * 9, mjd * 3)
    found = open_calibration(str(run)).at(query)
    truth = program.coefficients.factor(list(query.filters), list(query.subarrays), query.mjd)
    assert np.max(np.abs(found.mean - truth) / found.std) < 3.5
    assert np.all((found.std / truth > 0.003) & (found.std / truth < 0.02))


STUDIES = {
    "check": ["check", "--draws", "50", "--no-refit"],
    "rivals": ["rivals", "--models", "hierarchical", "--cuts", "0"],
}


@pytest.mark.parametrize("study", STUDIES)
def test_studies_of_a_simulated_run_say_so(
    study: str,
    fitted: tuple[Path, int, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    command, *options = STUDIES[study]
    assert main([command, str(fitted[0] / "run"), *options, "--out", str(tmp_path)]) in (0, 1)
    assert "SIMULATED DATA" in capsys.readouterr().out
    assert silent(tmp_path) == []
    rows_hash = read_run(fitted[0] / "run").posterior.attrs["photometry_sha256"]
    for table in tmp_path.glob("*.ecsv"):
        meta = Table.read(table, format="ascii.ecsv").meta
        assert meta["run"] == "run" and meta["photometry_sha256"] == rows_hash
    for figure in (tmp_path / "figures").iterdir():
        with Image.open(figure) as picture:
            assert json.loads(picture.text["photometry_sha256"]) == rows_hash


def test_apertures_exported_with_a_simulated_run_say_so(
    fitted: tuple[Path, int, str], tmp_path: Path
):
    out = tmp_path / "apcorr.fits"
    assert main(["export", str(fitted[0] / "run"), "--to", "jwst-apcorr", str(out)]) in (0, 1)
    assert silent(tmp_path) == []
