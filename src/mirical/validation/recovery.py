"""Recovery of known truth by the model, the staged procedure and the oracle fit."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import arviz_base
import numpy as np
import xarray as xr

from mirical.calibration.calibration import Calibration
from mirical.calibration.posterior import PosteriorCalibration
from mirical.cards.card import load_card
from mirical.chains.sampling import sample
from mirical.chains.verdict import Verdict, judge
from mirical.inference.posterior import named, reported
from mirical.inference.posterior_predictive import check_rows
from mirical.inference.schema import DIMS, FLUX_SCALE, Arrays
from mirical.instruments.miri import miri
from mirical.jobs.inputs import Inputs, job_factors, resolve_job
from mirical.jobs.job import Job
from mirical.jobs.sampler import Sampler
from mirical.model.design import Design
from mirical.simulation.errors_and_faults import DUSTY_STAR, Errors, Faults
from mirical.simulation.simulated_program import SimulatedProgram, simulate_program, write_program
from mirical.staged.point_fits import fit_staged
from mirical.validation.oracle_fit import oracle_draws
from mirical.validation.scores import Floats, Score, combinations, points

CARD = "hierarchical"

METHODS = {
    "mirical": "the model",
    "floor": "Gaussian fit told every scale and every faulty row",
    "staged": "staged point fits as they are",
    "staged-best": "staged, true D given, deviant rows and the dusty star removed by hand",
    "staged-mixed": "staged as the 2024 code did: time law fitted without dividing D out",
    "staged-mixed-best": "the same, true D given afterwards, rows removed by hand",
}


def study(sampler: Sampler) -> dict[str, Any]:
    """Return what the records of one study have in common, as plain types for JSON."""
    card = load_card(CARD, "recovery", miri())
    settings = {name: getattr(sampler, name) for name in ("chains", "warmup", "draws")}
    return {"card": hashlib.sha256(card.text.encode()).hexdigest(), **settings}


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
        Plain types for JSON: ``seed``, ``study``, ``factors`` (method -> score at `points`),
        ``mean`` and ``ratio`` (of `combinations`), ``quantities`` (of the model:
        label -> score), ``deviant`` rows, the sampler's ``diagnostics``.
    """
    faults, errors = faults or Faults(), Errors()
    program = simulate_program(seed, "perturbed", faults, errors)
    query = points()
    truth = np.log(program.coefficients.factor([*query.filters], [*query.subarrays], query.mjd))
    record: dict[str, Any] = {"seed": seed, "study": study(sampler)}
    record |= {"factors": {}, "mean": {}, "ratio": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_program(program, folder)
        job = Job("recovery", str(folder / "photometry.ecsv"), CARD, sampler=sampler)
        inputs = resolve_job(job)
        for method in methods:
            if method == "mirical":
                posterior, more = _model(program, inputs, sampler)
                scores = _score_draws(_given_flux_scale(posterior), truth)
                record |= more
            elif method == "floor":
                posterior = _floor(program, inputs.design, (errors, faults))
                scores = _score_draws(_given_flux_scale(posterior), truth)
            else:
                scores = _score_quoted(_staged(method, program, folder), truth)
            for what, score in scores.items():
                record[what][method] = score.as_dict()
    return record


def _given_flux_scale(posterior: xr.DataTree) -> PosteriorCalibration:
    """Return the calibration of a posterior given the programs' flux scale, which is exact."""
    return PosteriorCalibration.of(posterior, miri()).leaving_out((FLUX_SCALE,))


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
    factors = job_factors(Job("staged", str(path), CARD))
    return fit_staged(factors, throughput, time_fit_knows_subarrays="mixed" not in method)


def _floor(program: SimulatedProgram, design: Design, told: tuple[Errors, Faults]) -> xr.DataTree:
    faulty, seed = _faulty_rows(program), int(program.photometry.meta["seed"])
    return _tree(oracle_draws(design, program.coefficients, faulty, seed, *told), {}, design)


def _model(
    program: SimulatedProgram, inputs: Inputs, sampler: Sampler
) -> tuple[xr.DataTree, dict[str, Any]]:
    """Return the model's posterior, and what the record says of it beside the factors."""
    design = inputs.design
    chains = sample(design, inputs.card, sampler, miri().reference_mjd)
    drawn = named(chains.sites)
    posterior = _tree(drawn, chains.stats, design)
    verdict = judge(posterior, reported(posterior), (), sampler, chains.ending)
    probability = check_rows(chains.sites, design, sampler.seed).outlier_probability
    return posterior, {
        "quantities": _score_quantities(drawn, program, design),
        "deviant": _deviants(program, design, probability),
        "diagnostics": _diagnostics(verdict),
    }


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
    true, places = program.coefficients, [list(miri().bands).index(band) for band in design.bands]
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
    """Return every injected deviant row: where, how far off in its own scatter, and if found."""
    of_row = dict(zip(design.rows, probability, strict=True))
    repeat = dict(zip(miri().bands, program.coefficients.repeatability, strict=True))
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
