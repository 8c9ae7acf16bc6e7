from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from astropy.table import QTable, Table

from miri_facts import BANDS, IMAGING_BANDS, MIRI, SUBARRAYS
from mirical.calibration.factors import Query
from mirical.calibration.published import PublishedCalibration
from mirical.cli import SUCCESS, USER_MISTAKE, main
from mirical.errors import InputError
from mirical.simulation.errors_and_faults import NO_ERRORS, NO_FAULTS, Errors
from mirical.simulation.simulated_program import SimulatedProgram, simulate_program, write_program
from mirical.staged.averages import (
    StagedRows,
    clipped_average,
    measured_throughputs,
    star_weights,
)
from mirical.staged.point_fits import fit_staged
from mirical.staged.time_law import (
    FIXED_TAU,
    StagedLaw,
    fit_laws,
    interpolated_law,
    repeat_star,
)
from mirical.tables.apertures import published_apertures
from mirical.tables.calibration_factors import CalibrationFactors, calibration_factors
from mirical.tables.photometry import load_photometry
from mirical.tables.predicted_fluxes import by_star_band, shipped_fluxes

EPOCHS = 59720 + np.array([0.0, 200.0, 500.0, 900.0, 1500.0])
NO_CHANCE = {"faults": NO_FAULTS, "errors": NO_ERRORS}


def factors_of(program: SimulatedProgram, folder: Path) -> CalibrationFactors:
    write_program(program, folder)
    observations = load_photometry(str(folder / "photometry.ecsv"), MIRI, "test")
    return calibration_factors(observations, {}, published_apertures(MIRI))


def table5() -> CalibrationFactors:
    observations = load_photometry("table5", MIRI, "test")
    return calibration_factors(
        observations, by_star_band(shipped_fluxes(MIRI)), published_apertures(MIRI)
    )


def error_of_factors(program: SimulatedProgram, calibration) -> np.ndarray:
    """Relative errors of the staged factors: (band, epoch), in FULL."""
    errors = []
    for band in BANDS:
        query = Query.of(MIRI, band, "FULL", EPOCHS)
        n = len(EPOCHS)
        true = program.coefficients.factor([band] * n, ["FULL"] * n, EPOCHS)
        errors.append(calibration.at(query).mean / true - 1)
    return np.array(errors)


def rows_like(**columns) -> StagedRows:
    n = len(columns["factor"])
    filled = {
        "band": ["F770W"] * n,
        "subarray": ["FULL"] * n,
        "star": ["s"] * n,
        "visit": [f"v{i}" for i in range(n)],
        "elapsed": np.zeros(n),
    } | columns
    return StagedRows(**{name: np.asarray(values) for name, values in filled.items()})


def test_stars_weigh_one_each() -> None:
    star = np.array(["a", "b", "b", "b", "b"])
    np.testing.assert_array_equal(star_weights(star), [1, 0.25, 0.25, 0.25, 0.25])
    average = clipped_average(np.array([1.0, 2.0, 2.0, 3.0, 3.0]), star)
    # Star b averages 2.5: (1 + 2.5) / 2, and (0.75^2 + (2 0.25^2 + 2 1.25^2) / 4) / 2 = 0.6875.
    assert average.mean == pytest.approx(1.75)
    assert average.std == pytest.approx(np.sqrt(0.6875))
    assert average.n_stars == pytest.approx(2)


def test_a_clipped_row_takes_its_share_of_the_star_with_it() -> None:
    star = np.array([f"s{i}" for i in range(19)] + ["twice", "twice"])
    values = np.array([1.0, 1.02] * 9 + [1.01, 1.01, 2.0])
    average = clipped_average(values, star)
    # All 20 stars: mean 1.03475, std 0.155, so that 2.0 is 6.2 std off and goes; then nothing.
    assert list(np.flatnonzero(~average.kept)) == [20]
    assert average.n_stars == pytest.approx(19.5)
    assert average.mean == pytest.approx(1.01)
    assert average.std == pytest.approx(0.01 * np.sqrt(18 / 19.5))


def test_one_deviant_of_few_stars_is_never_clipped() -> None:
    values = np.array([1.0] * 10 + [1.3])
    average = clipped_average(values, np.array([f"s{i}" for i in range(11)]))
    assert np.all(average.kept)


@pytest.mark.parametrize("band", ["FND", "F1065C", "F1140C", "F1550C", "F2300C"])
def test_the_papers_interpolation_follows_from_its_neighbours(band: str) -> None:
    table = PublishedCalibration(MIRI).coefficients
    imaging = {
        name: StagedLaw(
            loss=float(-table.loc[name]["B"] / table.loc[name]["A"]),
            tau=float(table.loc[name]["tau"].value),
        )
        for name in IMAGING_BANDS
    }
    law = interpolated_law(band, imaging, MIRI)
    assert 100 * law.loss == pytest.approx(table.loc[band]["b_pct"].value, abs=0.12)
    assert law.tau == pytest.approx(table.loc[band]["tau"].value, abs=1)


def test_published_truth_without_chance_comes_back_as_table_8(tmp_path: Path) -> None:
    program = simulate_program(1, **NO_CHANCE)
    fitted = fit_staged(factors_of(program, tmp_path)).coefficients
    printed = PublishedCalibration(MIRI).coefficients
    for row in fitted:
        expected = printed.loc[str(row["filter"])]
        assert row["A"].value == pytest.approx(expected["A"].value, rel=1e-3)
        assert float(-row["B"] / row["A"]) == pytest.approx(
            float(-expected["B"] / expected["A"]), abs=1.5e-3
        )
        assert row["tau"].value == pytest.approx(expected["tau"].value, abs=2.0)


def test_published_truth_without_chance_comes_back_with_table_7(tmp_path: Path) -> None:
    program = simulate_program(1, **NO_CHANCE)
    d = fit_staged(factors_of(program, tmp_path)).throughput
    for subarray, value in PublishedCalibration(MIRI).throughput.items():
        assert d[subarray] == pytest.approx(value, abs=2e-4)


def test_a_program_with_little_noise_is_recovered(tmp_path: Path) -> None:
    quiet = Errors(0.002, 0.0, 0.0007, 0.0003, 0.1, 0.1)
    program = simulate_program(2, "published", NO_FAULTS, quiet)
    errors = error_of_factors(program, fit_staged(factors_of(program, tmp_path)))
    assert np.sqrt(np.mean(errors**2)) < 1.5e-3
    assert np.max(np.abs(errors)) < 5e-3


def test_mixing_subarrays_biases_the_long_bands_as_the_2024_code_did(tmp_path: Path) -> None:
    program = simulate_program(1, **NO_CHANCE)
    factors = factors_of(program, tmp_path)
    right, mixed = fit_staged(factors), fit_staged(factors, time_fit_knows_subarrays=False)
    for band in ("F1500W", "F1800W", "F2100W", "F2550W"):
        loss = [
            float(-c.loc[band]["B"] / c.loc[band]["A"])
            for c in (right.coefficients, mixed.coefficients)
        ]
        assert 0.005 < loss[1] - loss[0] < 0.03


def test_throughput_can_be_given(tmp_path: Path) -> None:
    program = simulate_program(3, "perturbed")
    given = dict(zip(SUBARRAYS, program.coefficients.D, strict=True))
    calibration = fit_staged(factors_of(program, tmp_path), given)
    assert {a: calibration.throughput[a] for a in SUBARRAYS} == pytest.approx(given)


def test_ratios_of_averages_and_of_visits_are_weighted_by_the_rule() -> None:
    rows = rows_like(
        star=["a", "b", "c", "d", "d"],
        subarray=["FULL", "FULL", "SUB64", "FULL", "SUB64"],
        band=["F770W", "F770W", "F770W", "F1280W", "F1280W"],
        visit=["1", "2", "3", "4", "4"],
        factor=[1.0, 1.2, 1.0, 1.0, 1.05],
    )
    found = measured_throughputs(rows, rows.factor, MIRI)["SUB64"]
    # F770W: ln 1.1, weight 1/(1/2 + 1/1) = 2/3. F1280W: -ln 1.05, weight 1/2, and once more for
    # the visit with the median weight (2/3 + 1/2)/2.
    weights = np.array([2 / 3, 1 / 2, 7 / 12])
    logs = np.array([np.log(1.1), -np.log(1.05), -np.log(1.05)])
    assert found.value == pytest.approx(np.exp(weights @ logs / weights.sum()))
    assert found.n_ratios == 3


def test_the_repeat_star_is_the_one_with_most_rows(tmp_path: Path) -> None:
    rows = StagedRows.of(factors_of(simulate_program(1, **NO_CHANCE), tmp_path))
    assert repeat_star(rows) == "BD+60 1753"


def test_bridging_pairs_fix_a_law_the_repeat_star_alone_cannot() -> None:
    law = StagedLaw(0.2, 150.0)
    late = np.arange(420.0, 900.0, 30.0)
    times = np.array([10.0, 20.0, *late, 150.0, 480.0])
    star = ["r"] * (2 + len(late)) + ["pair"] * 2
    level = law.relative(times) * np.where(np.array(star) == "pair", 1.04, 1.0)
    rows = rows_like(
        factor=level,
        elapsed=times,
        star=star,
        subarray=["FULL"] * len(times),
        band=["F2550W"] * len(times),
    )
    fitted = fit_laws(rows, {"FULL": 1.0}, MIRI)["F2550W"]
    assert fitted.loss == pytest.approx(0.2, abs=3e-3)
    assert fitted.tau == pytest.approx(150.0, abs=3)
    assert fitted.repeatability < 2e-3


def test_a_gain_is_fitted_as_no_loss() -> None:
    times = np.arange(0.0, 900.0, 30.0)
    rows = rows_like(
        factor=StagedLaw(-0.05).relative(times), elapsed=times, band=["F1800W"] * len(times)
    )
    law = fit_laws(rows, {"FULL": 1.0}, MIRI)["F1800W"]
    assert (law.loss, law.tau) == (0.0, FIXED_TAU)


def test_the_real_rows_have_no_time_law_and_say_so() -> None:
    calibration = fit_staged(table5())
    coefficients = calibration.coefficients
    assert calibration.bands == list(IMAGING_BANDS)
    assert np.all(coefficients["B"] == 0)
    assert np.all(coefficients["repeatability_pct"].mask)
    assert all("response loss taken as zero" in note for note in coefficients["note"])
    assert "one star: sigma(CF) taken as 2 %" in coefficients.loc["F2550W"]["note"]
    query = Query.of(MIRI, "F2550W", "SUB128", 59760)
    said = " ".join(calibration.cautions(query))
    assert "F2550W: no time law" in said
    assert "D of SUB128: no band has it beside FULL: taken as 1" in said


def test_flagged_rows_are_left_out() -> None:
    factors = table5()
    assert len(StagedRows.of(factors)) == 30
    assert fit_staged(factors).coefficients.loc["F1000W"]["n_stars"] == 1


def test_the_answer_is_eq_4_with_sigma_cf(tmp_path: Path) -> None:
    calibration = fit_staged(factors_of(simulate_program(4, "perturbed"), tmp_path))
    row = calibration.coefficients.loc["F2100W"]
    answer = calibration.at(Query.of(MIRI, "F2100W", ["FULL", "SUB64"], 59900))
    expected = (row["A"] + row["B"] * np.exp(-180 / row["tau"].value)).value
    assert answer.mean[0] == pytest.approx(expected)
    assert answer.mean[1] == pytest.approx(expected / calibration.throughput["SUB64"])
    assert answer.std[0] / answer.mean[0] == pytest.approx(row["sigma_cf_pct"].value / 100)


def test_a_band_without_rows_is_refused() -> None:
    with pytest.raises(InputError, match="band 'FND': the staged fits have no rows in it"):
        fit_staged(table5()).at(Query.of(MIRI, "FND", "FULL", 59760))


def test_the_command_writes_both_tables(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_program(simulate_program(5, "perturbed"), tmp_path / "program")
    photometry, out = tmp_path / "program" / "photometry.ecsv", tmp_path / "staged"
    options = ["--out", str(out), "--subarrays", "published", "--mix-subarrays"]
    assert main(["staged", str(photometry), *options]) == SUCCESS
    printed = capsys.readouterr()
    assert "SIMULATED DATA" in printed.out
    assert "interpolated between F1280W and F1500W" in printed.err
    coefficients = QTable.read(out / "coefficients.ecsv", format="ascii.ecsv")
    names = "filter A B tau sigma_cf sigma_cf_pct n_stars repeatability_pct note"
    assert coefficients.colnames == names.split()
    assert list(coefficients["filter"]) == list(BANDS)
    assert coefficients.meta["title"].startswith("SIMULATED")
    subarrays = Table.read(out / "subarrays.ecsv", format="ascii.ecsv")
    assert list(subarrays["D"]) == [1.0, 1.005, 0.98, 1.0, 0.966]


def test_the_command_runs_on_the_real_rows(tmp_path: Path) -> None:
    assert main(["staged", "table5", "--out", str(tmp_path / "out")]) == SUCCESS


def test_a_missing_table_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["staged", "nowhere.ecsv", "--out", str(tmp_path / "out")]) == USER_MISTAKE
    assert "photometry file 'nowhere.ecsv' does not exist" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_ratios_within_visits_of_many_rows_take_no_time_squared() -> None:
    """10 000 visits that change subarray: 0.3 s; looking through all rows for each took 10 s."""
    n = 20_000
    rows = StagedRows(
        band=np.full(n, "F770W"),
        subarray=np.where(np.arange(n) % 2, "SUB64", "FULL"),
        star=np.full(n, "GD 71"),
        visit=np.repeat([f"visit {i}" for i in range(n // 2)], 2),
        elapsed=np.linspace(10.0, 1500.0, n),
        factor=np.ones(n),
    )
    begun = time.process_time()
    found = measured_throughputs(rows, np.where(np.arange(n) % 2, 1.0, 0.97), MIRI)["SUB64"]
    assert time.process_time() - begun < 3.0
    assert found.value == pytest.approx(0.97) and found.n_ratios == 1 + n // 2
