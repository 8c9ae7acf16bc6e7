from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table

from miri_facts import BANDS, IMAGING_BANDS
from mirical.jobs.sampler import Sampler
from mirical.simulation.errors_and_faults import NO_FAULTS
from mirical.validation.recovery import METHODS, recover
from mirical.validation.recovery_report import (
    coverage_table,
    criteria_table,
    dust_shifts,
    quantity_table,
    write_summary,
)
from mirical.validation.scores import Score, combinations, points
from simulated_outputs import silent

N_POINTS = 14 * 3 * 5
QUANTITIES = {"A": 14, "B": 14, "tau": 14, "D": 4, "star_offset": 29, "repeatability": 14}


def test_a_score_of_draws_counts_where_the_truth_lies():
    truth = np.array([0.0, 0.6, 0.8, 0.97, -0.6, -0.8, -0.97])
    draws = np.tile(np.linspace(-1, 1, 2001)[:, None], (1, len(truth)))
    score = Score.of_draws(draws, truth)
    assert score.inside.tolist() == [2, 2, 1, 0, 2, 1, 0]  # 68 % within 0.68, 95 % within 0.95
    assert score.error == pytest.approx(-truth, abs=1e-12)
    assert score.std[0] == pytest.approx(0.6827, rel=1e-3)


def test_a_score_of_a_quoted_error_is_that_of_a_normal():
    score = Score.of_normal(np.array([0.0, -0.99, 1.5, 2.0]), np.ones(4))
    assert score.inside.tolist() == [2, 2, 1, 0]
    back = Score.from_dict(json.loads(json.dumps(score.as_dict())))
    assert back.inside.tolist() == [2, 2, 1, 0] and back.error == pytest.approx(score.error)


def test_points_are_bands_by_subarrays_by_days():
    query = points()
    assert len(query) == N_POINTS
    assert query.filters[:15] == ("F560W",) * 15 and query.subarrays[:6] == ("FULL",) * 5 + (
        "SUB256",
    )
    assert query.mjd[:5].tolist() == [59720, 59920, 60220, 60620, 61220]


def test_combinations_are_of_imaging_bands_at_one_place_and_time():
    values = np.repeat(np.arange(14.0), 15) + np.tile(np.arange(15.0) / 100, 14)
    imaging = [list(BANDS).index(band) for band in IMAGING_BANDS]
    combined = {name: matrix @ values for name, matrix in combinations().items()}
    assert combined["mean"] == pytest.approx(np.mean(imaging) + np.arange(15.0) / 100)
    assert combined["ratio"].reshape(8, 15)[0] == pytest.approx(imaging[0] - imaging[1])


def test_the_floor_and_the_staged_fits_recover_a_program_without_faults():
    """Errors of 210 points within 5 of their sigma for the floor; staged within 5 %.

    Offsets of 2 % over about 20 stars and 0.5 % over three types leave 0.53 %.
    """
    record = recover(3, Sampler(), NO_FAULTS, ("floor", "staged", "staged-best"))
    floor = Score.from_dict(record["factors"]["floor"])
    assert np.max(np.abs(floor.error / floor.std)) < 5
    late = floor.std.reshape(14, 3, 5)[[list(BANDS).index(b) for b in IMAGING_BANDS], 0, 3]
    assert np.median(late) == pytest.approx(0.0053, rel=0.15)
    staged = Score.from_dict(record["factors"]["staged"])
    assert 0.002 < np.sqrt(np.mean(staged.error**2)) < 0.05


def made_up(seed: int, **sizes: float) -> dict[str, Any]:
    """Return the record of a program whose errors are normal, `sizes` times what is quoted."""
    random = np.random.default_rng(seed)

    def score(n: int, size: float) -> dict[str, Any]:
        return Score.of_normal(0.01 * size * random.standard_normal(n), np.full(n, 0.01)).as_dict()

    counts = {"factors": N_POINTS, "mean": 15, "ratio": 120}
    record: dict[str, Any] = {
        what: {method: score(n, sizes.get(method, 1.0)) for method in METHODS}
        for what, n in counts.items()
    }
    record["quantities"] = {name: score(n, 1.0) for name, n in QUANTITIES.items()}
    record["deviant"] = [{"sigmas": 20.0, "probability": 0.99}, {"sigmas": 2, "probability": 0.1}]
    return record | {"seed": seed}


def verdicts(records: list[dict[str, Any]]) -> dict[str, bool]:
    table = criteria_table(records, coverage_table(records), quantity_table(records))
    return {str(row["criterion"]): bool(row["met"]) for row in table}


def test_honest_errors_are_told_from_understated_ones():
    good = [made_up(seed, staged=3.0, **{"staged-best": 2.0}) for seed in range(20)]
    found = verdicts(good)
    assert found["C: 68 % covers"] and found["C: error over that of staged"]
    assert found["deviant rows over 5 sigma found (20 rows)"]
    bad = [made_up(seed, mirical=1.5) for seed in range(20)]
    found = verdicts(bad)
    assert not found["C: 68 % covers"] and not found["C: error over that of staged"]
    assert not found["C: error over that of floor"]


def test_the_error_of_a_figure_is_its_scatter_between_programs():
    """210 independent points in each of 40 programs: sqrt(0.68 x 0.32 / 8400), within 40 %."""
    records = [made_up(seed) for seed in range(40)]
    table = criteria_table(records, coverage_table(records), quantity_table(records))
    found = dict(zip(table["criterion"], table["error"], strict=True))
    assert found["C: 68 % covers"] == pytest.approx(0.0051, rel=0.4)


def test_the_shift_by_a_disk_is_in_sigma_of_the_fit_with_it():
    record = made_up(1)
    clean = json.loads(json.dumps(record["quantities"]))
    clean["A"]["error"] = [e - 0.002 for e in clean["A"]["error"]]
    assert dust_shifts([record | {"without_disk": clean}]) == pytest.approx(np.full((1, 3), 0.2))
    assert dust_shifts([record]).size == 0


def test_the_summary_is_tables_that_say_they_are_simulated_and_a_figure(tmp_path: Path):
    (tmp_path / "programs.jsonl").write_text("kept")
    write_summary([made_up(seed) for seed in range(3)], tmp_path)
    assert (tmp_path / "programs.jsonl").read_text() == "kept"
    (tmp_path / "programs.jsonl").unlink()
    assert silent(tmp_path) == []
    for name in ("coverage", "quantities", "criteria"):
        table = Table.read(tmp_path / f"{name}.ecsv", format="ascii.ecsv")
        assert table.meta["simulated"] is True and table.meta["programs"] == 3
