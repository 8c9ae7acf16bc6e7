"""Simulated programs fitted again: whether errors mean what they say, and who errs least.

A *score* is what one calibration makes of one program: the error of ln C at
every point, the quoted standard deviation, and whether the truth lies within
the central 68 and 95 %. Programs share star offsets within themselves, so the
points of one program are far from independent.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import arviz_base
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mirical.bands import BANDS, IMAGING_BANDS
from mirical.conventions import T0_MJD
from mirical.inference.checks import check_rows
from mirical.inference.diagnostics import Verdict, judge
from mirical.inference.disturbances import DUSTY_STAR, Errors, Faults
from mirical.inference.floor import floor_draws
from mirical.inference.jobs import Inputs, Job, Sampler, job_factors, resolve_job
from mirical.inference.posterior import DIMS, REPORTED, quantities
from mirical.inference.sampling import Arrays, sample
from mirical.inference.simulate import SimulatedProgram, simulate_program, write_program
from mirical.model.design import Design
from mirical.products.calibration import Calibration, PosteriorCalibration, Query
from mirical.products.staged import fit_staged

Floats = NDArray[np.float64]

SUBARRAYS = ("FULL", "SUB256", "SUB64")
DAYS = (0.0, 200.0, 500.0, 900.0, 1500.0)
"""Where the factors are compared: every band in these subarrays at these days after t0."""

METHODS = {
    "mirical": "the model",
    "floor": "Gaussian fit told every scale and every faulty row",
    "staged": "staged point fits as they are",
    "staged-best": "staged, true D given, deviant rows and the dusty star removed by hand",
    "staged-mixed": "staged as the 2024 code did: time law fitted without dividing D out",
    "staged-mixed-best": "the same, true D given afterwards, rows removed by hand",
}

_68, _95 = 0.994458, 1.959964  # of a normal distribution, in standard deviations


@dataclass(frozen=True)
class Score:
    """Errors of what one calibration says of some quantities.

    Attributes
    ----------
    error, std : (quantity,) array
        Mean minus truth, and quoted standard deviation.
    inside : (quantity,) int array
        2 where the truth is in the central 68 %, 1 in the central 95 % only, 0 outside.
    """

    error: Floats
    std: Floats
    inside: NDArray[np.int_]

    @classmethod
    def of_draws(cls, draws: Floats, truth: Floats) -> Score:
        """Score draws of shape (draw, quantity)."""
        low95, low, high, high95 = np.quantile(draws, [0.025, 0.16, 0.84, 0.975], axis=0)
        inside = ((low <= truth) & (truth <= high)).astype(int)
        inside += (low95 <= truth) & (truth <= high95)
        return cls(draws.mean(0) - truth, draws.std(0, ddof=1), inside)

    @classmethod
    def of_normal(cls, error: Floats, std: Floats) -> Score:
        """Score a quoted normal error."""
        away = np.abs(error) / std
        return cls(error, std, (away <= _68).astype(int) + (away <= _95))

    def as_dict(self) -> dict[str, Any]:
        """Return the score as plain types for JSON."""
        return {
            "error": [float(f"{v:.4g}") for v in self.error],
            "std": [float(f"{v:.4g}") for v in self.std],
            "inside": "".join(map(str, self.inside)),
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Score:
        """Return the score that `as_dict` made plain."""
        inside = np.array(list(map(int, record["inside"])))
        return cls(np.array(record["error"]), np.array(record["std"]), inside)


def points() -> Query:
    """Return the points of a program, bands slowest and days fastest."""
    grid = [(b, a, T0_MJD + x) for b in BANDS for a in SUBARRAYS for x in DAYS]
    bands, subarrays, mjd = zip(*grid, strict=True)
    return Query.of(bands, subarrays, mjd)


def combinations() -> dict[str, NDArray[Any]]:
    """Return band means and neighbours' ratios as matrices (combination, point) in ln C."""
    shape = (len(BANDS), len(SUBARRAYS) * len(DAYS))
    imaging = [list(BANDS).index(band) for band in IMAGING_BANDS]
    mean = np.zeros((1, *shape[:1]))
    mean[0, imaging] = 1 / len(imaging)
    ratio = np.zeros((len(imaging) - 1, shape[0]))
    for k, (one, two) in enumerate(zip(imaging, imaging[1:], strict=False)):
        ratio[k, one], ratio[k, two] = 1, -1
    return {
        name: np.kron(m, np.eye(shape[1])) for name, m in {"mean": mean, "ratio": ratio}.items()
    }


def recover(
    seed: int,
    sampler: Sampler,
    faults: Faults | None = None,
    methods: Iterable[str] = tuple(METHODS),
) -> dict[str, Any]:
    """Simulate a program with perturbed truth, calibrate it by every method, return the scores.

    Parameters
    ----------
    seed : int
        Of the program; the sampler has its own.
    sampler : Sampler
        Of the model's fit with the default card.
    faults : Faults, optional
        All by default.
    methods : iterable of str
        Keys of `METHODS`.

    Returns
    -------
    dict
        Plain types for JSON: ``seed``, ``factors`` (method -> score at `points`),
        ``mean`` and ``ratio`` (of `combinations`), ``quantities`` (of the model:
        label -> score), ``deviant`` rows, the sampler's ``diagnostics``.
    """
    faults, errors = faults or Faults(), Errors()
    program = simulate_program(seed, "perturbed", faults, errors)
    query = points()
    truth = np.log(program.coefficients.factor([*query.filters], [*query.subarrays], query.mjd))
    record: dict[str, Any] = {"seed": seed, "factors": {}, "mean": {}, "ratio": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_program(program, folder)
        job = Job("recovery", str(folder / "photometry.ecsv"), "hierarchical", sampler=sampler)
        inputs = resolve_job(job)
        for method in methods:
            if method.startswith("staged"):
                calibration = _staged(method, program, folder)
                scores = _score_quoted(calibration, truth)
            else:
                posterior, more = _posterior(method, program, inputs, sampler, (errors, faults))
                scores = _score_draws(PosteriorCalibration(posterior), truth)
                record |= more
            for what, score in scores.items():
                record[what][method] = score.as_dict()
    return record


def _score_draws(calibration: PosteriorCalibration, truth: Floats) -> dict[str, Score]:
    draws = np.log(calibration.draws(points()))
    return {"factors": Score.of_draws(draws, truth)} | {
        name: Score.of_draws(draws @ matrix.T, matrix @ truth)
        for name, matrix in combinations().items()
    }


def _score_quoted(calibration: Calibration, truth: Floats) -> dict[str, Score]:
    answer = calibration.at(points())
    error, std = np.log(answer.mean) - truth, answer.std / answer.mean
    # No covariance between bands is quoted, so there is nothing but to take it as zero.
    return {"factors": Score.of_normal(error, std)} | {
        name: Score.of_normal(matrix @ error, np.sqrt(matrix**2 @ std**2))
        for name, matrix in combinations().items()
    }


def _staged(method: str, program: SimulatedProgram, folder: Path) -> Calibration:
    rows, throughput = program.photometry, None
    if method.endswith("best"):
        deviant = program.truth["name"][program.truth["quantity"] == "deviant"]
        number = np.arange(1, len(rows) + 1)
        rows = rows[~np.isin(number, [int(n) for n in deviant]) & (rows["name"] != DUSTY_STAR)]
        d = program.truth[program.truth["quantity"] == "D"]
        throughput = dict(zip(map(str, d["subarray"]), map(float, d["value"]), strict=True))
    path = folder / f"{method}.ecsv"
    rows.write(path, format="ascii.ecsv", overwrite=True)
    factors = job_factors(Job("staged", str(path), "hierarchical"))
    return fit_staged(factors, throughput, time_fit_knows_subarrays="mixed" not in method)


class _Unwatched:
    def advance(self, chain: int, steps: int, divergences: int) -> None:
        """Take no note."""


def _posterior(
    method: str,
    program: SimulatedProgram,
    inputs: Inputs,
    sampler: Sampler,
    told: tuple[Errors, Faults],
) -> tuple[xr.DataTree, dict[str, Any]]:
    design = inputs.design
    if method == "floor":
        faulty = _faulty_rows(program)
        drawn = floor_draws(design, program.coefficients, faulty, program_seed(program), *told)
        return _tree(drawn, {}, design), {}
    chains = sample(design, inputs.card, sampler, _Unwatched())
    drawn = quantities(chains.sites)
    posterior = _tree(drawn, chains.stats, design)
    verdict = judge(posterior, REPORTED, chains.complete)
    probability = check_rows(chains.sites, design, sampler.seed).outlier_probability
    return posterior, {
        "quantities": _score_quantities(drawn, program, design),
        "deviant": _deviants(program, design, probability),
        "diagnostics": _diagnostics(verdict),
    }


def program_seed(program: SimulatedProgram) -> int:
    """Return the seed a program was simulated with."""
    return int(program.photometry.meta["seed"])


def _tree(drawn: Arrays, stats: Arrays, design: Design) -> xr.DataTree:
    groups = {"posterior": drawn} | ({"sample_stats": stats} if stats else {})
    coords = {
        "band": list(design.bands),
        "subarray": list(design.subarrays),
        "star": list(design.stars),
        "srctype": list(design.types),
        "visit": list(design.visits),
    }
    return arviz_base.from_dict(groups, coords=coords, dims=DIMS)


def _diagnostics(verdict: Verdict) -> dict[str, Any]:
    names = ("worst_rhat", "worst_rhat_of", "min_ess_bulk", "min_ess_bulk_of", "divergences")
    return {name: getattr(verdict, name) for name in names} | {"steps": verdict.mean_steps}


def _faulty_rows(program: SimulatedProgram) -> set[int]:
    truth = program.truth
    faulty = {int(name) for name in truth["name"][truth["quantity"] == "deviant"]}
    visits = [f"{r['name']} {r['visit']}" for r in program.photometry]
    off = set(map(str, truth["name"][truth["quantity"] == "off_visit"]))
    return faulty | {number for number, visit in enumerate(visits, start=1) if visit in off}


def _score_quantities(
    drawn: Arrays, program: SimulatedProgram, design: Design
) -> dict[str, dict[str, Any]]:
    """Return the scores of A, B, tau, D, star offsets and repeatability, in order of their names.

    A and D count in their logarithm, tau and repeatability likewise, B as a fraction of A.
    """
    true, places = program.coefficients, [list(BANDS).index(band) for band in design.bands]
    flat = {
        name: drawn[name].reshape(-1, drawn[name].shape[-1])
        for name in ("A", "B", "tau", "D", "star_offset", "repeatability")
    }
    offsets = program.truth[program.truth["quantity"] == "star_offset"]
    of_star = dict(zip(map(str, offsets["name"]), map(float, offsets["value"]), strict=True))
    a, b = true.A[places], true.B[places]
    pairs = {
        "A": (np.log(flat["A"]), np.log(a)),
        "B": (flat["B"] / flat["A"], b / a),
        "tau": (np.log(flat["tau"]), np.log(true.tau[places])),
        "D": (np.log(flat["D"][:, 1:]), np.log(true.D[1:])),
        "star_offset": (flat["star_offset"], np.array([of_star[s] for s in design.stars])),
        "repeatability": (np.log(flat["repeatability"]), np.log(true.repeatability[places])),
    }
    return {name: Score.of_draws(*pair).as_dict() for name, pair in pairs.items()}


def _deviants(
    program: SimulatedProgram, design: Design, probability: Floats
) -> list[dict[str, Any]]:
    """Return every planted deviant row: where, how far off in its own scatter, and if found."""
    of_row = dict(zip(design.rows, probability, strict=True))
    repeat = dict(zip(BANDS, program.coefficients.repeatability, strict=True))
    found = []
    for line in program.truth[program.truth["quantity"] == "deviant"]:
        number, band = int(line["name"]), str(line["filter"])
        row = program.photometry[number - 1]
        sigma = np.hypot(repeat[band], (row["ifluxunc"] / row["iflux"]).to_value(""))
        found.append(
            {
                "row": number,
                "star": str(row["name"]),
                "filter": band,
                "missing": float(line["value"]),
                "sigmas": round(float(-np.log1p(-line["value"]) / sigma), 1),
                "probability": round(float(of_row[number]), 4),
            }
        )
    return found
