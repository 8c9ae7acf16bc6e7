from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.table import QTable, Table

from miri_facts import BANDS, MIRI, SUBARRAYS
from mirical.cli import SUCCESS, USER_MISTAKE, main
from mirical.errors import InputError
from mirical.instruments.published import published_coefficients
from mirical.simulation.errors_and_faults import (
    DUSTY_STAR,
    NO_ERRORS,
    NO_FAULTS,
    RATE_PIVOT,
    REDUCED_ANEW,
    REDUCTIONS,
    Errors,
    Faults,
    dust_excess,
)
from mirical.simulation.exposures import ERROR_FLOOR, ERROR_POWER, ERROR_SCATTER
from mirical.simulation.observing_program import SEQUENCES, observing_program
from mirical.simulation.simulated_program import SimulatedProgram, simulate_program, write_program
from mirical.storage.shipped import data_file, resolve
from mirical.tables.apertures import published_apertures
from mirical.tables.calibration_factors import CalibrationFactors, calibration_factors
from mirical.tables.photometry import load_photometry

STAR, REPEATED = "2MASS J18022716+6043356", "BD+60 1753"


def log_factor(program: SimulatedProgram) -> np.ndarray:
    return -np.log(program.photometry["iflux"].value)


def read_back(program: SimulatedProgram, folder: Path) -> CalibrationFactors:
    write_program(program, folder)
    observations = load_photometry(str(folder / "photometry.ecsv"), MIRI, "test")
    return calibration_factors(observations, {}, published_apertures(MIRI))


def true_factors(program: SimulatedProgram) -> np.ndarray:
    rows = program.photometry
    bands, subarrays = list(map(str, rows["filter"])), list(map(str, rows["subarray"]))
    return program.coefficients.factor(bands, subarrays, rows["time"].to_value("d"))


def test_the_program_has_the_papers_size() -> None:
    rows = observing_program(1)
    assert len(rows) == 484
    assert len(set(rows["name"])) == 29
    assert set(rows["filter"]) == set(BANDS)
    assert set(SUBARRAYS) <= set(rows["subarray"])
    assert len(set(zip(rows["name"], rows["filter"], strict=True))) == 202


def test_monthly_visits_see_all_imaging_bands_from_cycle_2_on() -> None:
    rows = observing_program(1)
    monthly = rows[(rows["name"] == REPEATED) & np.isin(rows["PID"], ["4499", "6607"])]
    for visit in set(monthly["visit"]):
        bands = monthly["filter"][monthly["visit"] == visit]
        assert [BANDS[band].kind for band in bands] == ["imaging"] * 9
    starts = np.sort(
        [monthly["time"][monthly["visit"] == v].min().value for v in set(monthly["visit"])]
    )
    assert len(starts) == 18
    assert np.all(np.abs(np.diff(starts) - 29) < 15)


@pytest.mark.parametrize("name", ["HD 37962", "del UMi"])
def test_bridging_pairs_lie_where_the_paper_says(name: str) -> None:
    rows = observing_program(2)
    days = rows["time"].to_value("d") - 59720
    long = (rows["name"] == name) & (rows["filter"] == "F2550W")
    early, late = np.sort(days[long])
    assert 100 <= early <= 200.1
    assert 475 <= late <= 500.1


def test_a_visit_takes_minutes_and_a_sequence_keeps_its_order() -> None:
    rows = observing_program(1)
    for key in set(zip(rows["name"], rows["visit"], strict=True)):
        times = rows["time"][(rows["name"] == key[0]) & (rows["visit"] == key[1])].to_value("d")
        assert np.ptp(times) < 0.1
    sequence = rows[(rows["name"] == STAR) & (rows["PID"] == "4488")]
    assert tuple(sequence["subarray"]) == SEQUENCES["4488"]
    assert SEQUENCES["4488"][0] == SEQUENCES["4488"][-1] == "FULL"


def test_every_program_has_a_season_and_repeats_table_5s_dates() -> None:
    rows = observing_program(7)
    table5 = QTable.read(data_file("table5"), format="ascii.ecsv")
    for row in table5:
        same = (rows["name"] == row["name"]) & (rows["filter"] == row["filter"])
        assert np.min(np.abs(rows["time"][same] - row["time"])).to_value("d") <= 0.15


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_program(simulate_program(3, "perturbed"), tmp_path / folder)
    for name in ("photometry.ecsv", "truth.ecsv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    other = simulate_program(4, "perturbed").photometry
    assert not np.any(other["iflux"] == simulate_program(3, "perturbed").photometry["iflux"])


def rows_of_deviants(program: SimulatedProgram) -> np.ndarray:
    touched = np.zeros(len(program.photometry), dtype=bool)
    named = program.truth["name"][program.truth["quantity"] == "deviant"]
    touched[[int(number) - 1 for number in named]] = True
    return touched


def rows_of_the_off_visit(program: SimulatedProgram) -> np.ndarray:
    rows = program.photometry
    visits = [f"{name} {visit}" for name, visit in zip(rows["name"], rows["visit"], strict=True)]
    return np.isin(visits, program.truth["name"][program.truth["quantity"] == "off_visit"])


def rows_of_the_dusty_star(program: SimulatedProgram) -> np.ndarray:
    return np.asarray(program.photometry["name"] == DUSTY_STAR)


def rows_outside_full(program: SimulatedProgram) -> np.ndarray:
    return np.isin(program.photometry["subarray"], SUBARRAYS[1:])


@pytest.mark.parametrize(
    ("fault", "touches"),
    [
        ("deviant_rows", rows_of_deviants),
        ("off_visit", rows_of_the_off_visit),
        ("debris_disk", rows_of_the_dusty_star),
        ("subarray_by_band", rows_outside_full),
    ],
)
def test_a_fault_switched_off_changes_its_own_rows_only(fault: str, touches) -> None:
    everything = simulate_program(5, "perturbed")
    without = simulate_program(5, "perturbed", replace(Faults(), **{fault: 0.0}))
    changed = ~np.isclose(log_factor(everything), log_factor(without), rtol=0, atol=1e-12)
    assert np.any(changed)
    assert np.array_equal(changed, touches(everything))
    untouched = ("time", "inttime", "ibkg", "ifluxunc", "model_flux", "visit", "name")
    for column in untouched:
        assert np.all(everything.photometry[column] == without.photometry[column])


@pytest.mark.parametrize("kind", list(Errors.__dataclass_fields__))
def test_an_error_switched_off_leaves_the_others_as_they_were(kind: str) -> None:
    every = Errors(type_band=0.01, flux_scale=0.006)
    only = replace(NO_ERRORS, **{kind: getattr(every, kind)})
    rest = replace(every, **{kind: 0.0})
    nothing, alone, others, everything = (
        log_factor(simulate_program(6, faults=NO_FAULTS, errors=errors))
        for errors in (NO_ERRORS, only, rest, every)
    )
    assert np.any(alone != nothing)
    np.testing.assert_allclose(alone - nothing, everything - others, atol=1e-12)


def true_values(program: SimulatedProgram, quantity: str, key: str) -> dict[str, float]:
    """Return the true values of a quantity by one of its columns."""
    lines = program.truth[program.truth["quantity"] == quantity]
    return dict(zip(map(str, lines[key]), map(float, lines["value"]), strict=True))


def moved(**effects: float) -> tuple[SimulatedProgram, np.ndarray]:
    """Return a program with some effects and no other errors, and what they did to ln C."""
    of_errors = {k: v for k, v in effects.items() if k in Errors.__dataclass_fields__}
    of_faults = {k: v for k, v in effects.items() if k not in of_errors}
    errors, faults = replace(NO_ERRORS, **of_errors), replace(NO_FAULTS, **of_faults)
    program = simulate_program(5, "perturbed", faults, errors)
    return program, log_factor(program) - log_factor(
        simulate_program(5, "perturbed", NO_FAULTS, NO_ERRORS)
    )


def test_a_step_is_in_all_rows_from_its_date_on() -> None:
    program, effect = moved(step=0.02, step_mjd=60200.0)
    after = program.photometry["time"].to_value("d") >= 60200
    np.testing.assert_allclose(effect, np.where(after, 0.02, 0), atol=1e-12)
    assert set(true_values(program, "step", "name").items()) == {("60200", 0.02)}


def test_a_slope_goes_with_the_rate_that_the_row_states() -> None:
    program, effect = moved(fnd_rate_slope=0.05)
    rows = program.photometry
    decades = np.log10(rows["pixrate"].value / RATE_PIVOT)
    expected = np.where(rows["filter"] == "FND", 0.05 * decades, 0)
    np.testing.assert_allclose(effect, expected, atol=1e-7)
    assert true_values(program, "rate_slope", "filter") == {"FND": 0.05}


def test_rows_of_the_earlier_reduction_are_off_by_subarray() -> None:
    program, effect = moved(reduction=0.02)
    rows, true = program.photometry, true_values(program, "reduction_offset", "subarray")
    earlier = np.asarray(rows["reduction"] == REDUCTIONS[0])
    assert np.array_equal(earlier, rows["time"].to_value("d") < REDUCED_ANEW)
    off = [true.get(str(name), 0.0) for name in rows["subarray"]]
    np.testing.assert_allclose(effect, np.where(earlier, off, 0), atol=1e-12)


def test_types_and_the_flux_scale_are_off_by_their_true_values() -> None:
    program, effect = moved(type_band=0.01, flux_scale=0.006)
    (scale,) = true_values(program, "flux_scale", "name").values()
    of_types = program.truth[program.truth["quantity"] == "type_band_offset"]
    true = {(r["name"], r["filter"]): r["value"] for r in of_types}
    rows = program.photometry
    off = [true[pair] for pair in zip(rows["srctype"], rows["filter"], strict=True)]
    np.testing.assert_allclose(effect, scale + np.array(off), atol=1e-12)


@pytest.mark.parametrize("truth", ["published", "perturbed"])
def test_rows_without_errors_give_the_true_factors_back(truth: str, tmp_path: Path) -> None:
    program = simulate_program(8, truth, NO_FAULTS, NO_ERRORS)
    factors = read_back(program, tmp_path)
    assert not any(factors.observations.table["flag"])
    np.testing.assert_allclose(factors.table["factor"].value, true_factors(program), rtol=1e-13)


def test_published_truth_is_tables_7_and_8() -> None:
    program = simulate_program(1)
    table8 = published_coefficients(MIRI).copy()
    table8.add_index("filter")
    for band, a, tau in zip(BANDS, program.coefficients.A, program.coefficients.tau, strict=True):
        assert a == table8.loc[band]["A"].value
        assert tau == table8.loc[band]["tau"].value
    truth = program.truth
    value = {a: v for q, a, v in truth["quantity", "subarray", "value"].iterrows() if q == "D"}
    repeatability = dict(zip(BANDS, program.coefficients.repeatability, strict=True))
    assert repeatability["F770W"] == pytest.approx(0.0025)
    assert repeatability["F2550W"] == pytest.approx(0.012)
    assert repeatability["FND"] == pytest.approx(0.0021, abs=1e-4)  # beside F1280W
    assert value == {"FULL": 1, "BRIGHTSKY": 1.005, "SUB256": 0.98, "SUB128": 1, "SUB64": 0.966}


def test_the_errors_have_the_sizes_asked_for() -> None:
    programs = [simulate_program(seed, faults=NO_FAULTS) for seed in range(20)]

    def spread(quantity: str) -> float:
        drawn = [p.truth["value"][p.truth["quantity"] == quantity] for p in programs]
        return float(np.std(np.concatenate(drawn)))

    assert spread("star_offset") == pytest.approx(np.hypot(0.02, 0.005), rel=0.1)
    assert spread("star_band_offset") == pytest.approx(0.007, rel=0.15)
    assert spread("visit_offset") == pytest.approx(0.0025, rel=0.1)


def test_rows_scatter_by_the_true_repeatability(tmp_path: Path) -> None:
    only = replace(NO_ERRORS, repeatability=1.0)
    scatter = []
    for seed in range(5):
        program = simulate_program(seed, faults=NO_FAULTS, errors=only)
        factors = read_back(program, tmp_path)
        error = np.log(factors.table["factor"].value / true_factors(program))
        scatter.append(error[factors.observations.table["filter"] == "F2550W"])
    assert np.std(np.concatenate(scatter)) == pytest.approx(0.012, rel=0.12)


def test_the_disk_has_the_shape_of_warm_dust() -> None:
    excess = dust_excess(0.25)
    assert excess["F2550W"] == pytest.approx(0.25)
    assert excess["F1500W"] == pytest.approx(0.02, rel=0.02)
    assert excess["F770W"] < 1e-4
    assert np.all(np.diff([excess[b] for b in sorted(BANDS, key=lambda b: BANDS[b].pivot)]) > 0)


def test_deviant_rows_come_at_their_rate_and_are_5_to_30_percent_faint() -> None:
    programs = [simulate_program(seed) for seed in range(20)]
    depths = np.concatenate([p.truth["value"][p.truth["quantity"] == "deviant"] for p in programs])
    assert 60 <= len(depths) <= 134  # 97 expected
    assert np.all((depths >= 0.05) & (depths <= 0.30))


def test_the_table_says_it_is_simulated_and_holds_no_truth(tmp_path: Path) -> None:
    program = simulate_program(9)
    factors = read_back(program, tmp_path)
    assert factors.observations.simulated
    read = Table.read(tmp_path / "photometry.ecsv", format="ascii.ecsv")
    assert read.meta["title"].startswith("SIMULATED")
    assert read.meta["simulated"] is True
    assert read.meta["seed"] == 9
    expected = (
        "name PID srctype filter subarray time pixrate pixwelldepth inttime iflux ifluxunc ibkg "
        "model_flux visit"
    )
    assert read.colnames == expected.split()
    visits = program.truth["name"][program.truth["quantity"] == "visit_offset"]
    assert set(visits) == set(factors.observations.table["visit"])


def test_photometric_errors_follow_table_5() -> None:
    rows = QTable.read(data_file("table5"), format="ascii.ecsv")
    rows = rows[~((rows["name"] == "G 191-B2B") & (rows["filter"] == "F1000W"))]
    area = np.array([np.pi * published_apertures(MIRI)[band].r_a ** 2 for band in rows["filter"]])
    contrast = np.log1p(area * rows["ibkg"].value / rows["iflux"].value)
    fraction = np.log((rows["ifluxunc"] / rows["iflux"]).value)
    power, floor = np.polyfit(contrast, fraction, 1)
    assert np.exp(floor) == pytest.approx(ERROR_FLOOR, rel=0.02)
    assert power == pytest.approx(ERROR_POWER, rel=0.02)
    scatter = np.std(fraction - floor - power * contrast)
    assert scatter == pytest.approx(ERROR_SCATTER, rel=0.05)


def test_mistakes_are_answered_by_a_sentence() -> None:
    with pytest.raises(InputError, match="did you mean 'perturbed'"):
        simulate_program(1, "perturbd")
    with pytest.raises(InputError, match="seed -1 is negative; expected a whole number from 0 up"):
        simulate_program(-1)


def test_the_command_writes_both_tables(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = tmp_path / "program"
    assert (
        main(["simulate", "--seed", "2", "--truth", "perturbed", "--out", str(folder)]) == SUCCESS
    )
    assert sorted(p.name for p in folder.iterdir()) == ["photometry.ecsv", "truth.ecsv"]
    assert "484 SIMULATED rows of 29 stars" in capsys.readouterr().out
    truth = Table.read(folder / "truth.ecsv", format="ascii.ecsv")
    assert truth.colnames == ["quantity", "filter", "subarray", "name", "value", "unit"]
    assert truth.meta["truth"] == "perturbed"


def test_the_command_writes_nothing_after_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = tmp_path / "program"
    assert main(["simulate", "--seed", "-3", "--out", str(folder)]) == USER_MISTAKE
    assert not folder.exists()
    folder.write_text("a file")
    assert main(["simulate", "--seed", "3", "--out", str(folder)]) == USER_MISTAKE
    assert "is a file; --out needs a folder." in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["program"]
    assert folder.read_text() == "a file"


def test_the_embedded_program_is_what_the_command_in_its_job_makes(tmp_path: Path) -> None:
    assert "--seed 59720 --truth published" in resolve("inference", "program", "job").read_text()
    write_program(simulate_program(59720, "published"), tmp_path)
    made, shipped = (
        QTable.read(path, format="ascii.ecsv")
        for path in (tmp_path / "photometry.ecsv", data_file("program"))
    )
    assert made.meta == shipped.meta and made.colnames == shipped.colnames
    for name in made.colnames:
        if made[name].dtype.kind == "f":
            # The last digit may differ from one machine's exp() to another's.
            np.testing.assert_allclose(made[name].value, shipped[name].value, rtol=1e-12)
        else:
            assert list(made[name]) == list(shipped[name])
