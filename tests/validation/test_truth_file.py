"""The truth of a simulation as a calibration, and how far a calibration is from it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from miri_facts import MIRI
from mirical.calibration.factors import Query
from mirical.cli import main
from mirical.errors import InputError
from mirical.laws.timelaw import LAWS
from mirical.simulation.simulated_program import SimulatedProgram, simulate_program
from mirical.tables.formats import write_ecsv
from mirical.validation.truth_file import read_truth
from samples import setting

POINTS = (["F770W", "F2550W", "F560W"], ["SUB64", "FULL", "BRIGHTSKY"], [59720.0, 60123.4, 61000.0])


def written(program: SimulatedProgram, folder: Path) -> Path:
    path = folder / "truth.ecsv"
    write_ecsv(program.truth, path)
    return path


@pytest.mark.parametrize("law", LAWS)
def test_the_true_factors_come_back_to_the_last_digits(law: str, tmp_path: Path):
    program = simulate_program(3, "perturbed", law=law)
    found = read_truth(written(program, tmp_path), MIRI)
    bands, subarrays, mjd = POINTS
    wanted = program.coefficients.factor(bands, subarrays, np.array(mjd))
    answer = found.at(Query.of(MIRI, *POINTS))
    np.testing.assert_allclose(answer.mean, wanted, rtol=1e-13)
    assert not answer.std.any() and found.simulated


def test_a_calibration_is_compared_with_the_truth_at_a_glance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = written(simulate_program(3, "perturbed"), tmp_path)
    assert main(["compare", "published", "--with", str(path), "--mjd", "60000"]) == 0
    first, *_ = capsys.readouterr().out.splitlines()
    truth = read_truth(path, MIRI)
    table = Table.read(_factors(path, tmp_path))
    query = Query.of(MIRI, list(table["filter"]), "FULL", 60000.0)
    assert first.startswith("published against truth: 14 factors differ by")
    np.testing.assert_allclose(table["c_other"], truth.at(query).mean, rtol=1e-12)
    within = int(np.sum(np.abs(table["diff_sigma"]) <= 1))
    assert f"Of 14 with errors {within} lie within one sigma" in first


def _factors(path: Path, folder: Path) -> Path:
    out = folder / "factors.ecsv"
    command = ["compare", "published", "--with", str(path), "--mjd", "60000", "--out", str(out)]
    assert main(command) == 0
    return out


def without(text: str) -> Callable[[Table], None]:
    """Return a change that leaves out the rows of a quantity."""

    def change(table: Table) -> None:
        table.remove_rows(np.flatnonzero(table["quantity"] == text))

    return change


def stating(law: str) -> Callable[[Table], None]:
    def change(table: Table) -> None:
        table.meta["law"] = law

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (setting("value", 1, -1.0), "truth.ecsv: the true factor of F560W in FULL is -"),
        (without("A"), "truth.ecsv: no A of F560W; expected the truth.ecsv that 'mirical sim"),
        (stating("cubic"), "truth.ecsv: law 'cubic' is unknown; expected one of additive,"),
        (setting("value", 1, np.nan), "truth.ecsv row 1: value is nan; expected a number."),
    ],
)
def test_a_truth_that_cannot_be_one_is_refused(
    change: Callable[[Table], None], sentence: str, tmp_path: Path
):
    table = simulate_program(3).truth
    change(table)
    write_ecsv(table, tmp_path / "truth.ecsv")
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}"):
        read_truth(tmp_path / "truth.ecsv", MIRI)
