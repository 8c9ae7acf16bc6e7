"""Convergence diagnostics of a posterior, Monte-Carlo errors of printed numbers, a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from arviz_stats.sampling_diagnostics import bfmi as bfmi_of
from arviz_stats.sampling_diagnostics import ess
from arviz_stats.sampling_diagnostics import rhat as rhat_of

from mirical.inference.quoted_errors import LEVELS, error_noise, half_width

RHAT_LIMIT = 1.01
ESS_LIMIT = 400
BFMI_LIMIT = 0.3
_BETWEEN_RUNS = 2 * np.sqrt(2)  # two standard deviations of the difference of two equal runs
ERROR_NOISE_LIMIT = 0.05 / _BETWEEN_RUNS
"""Largest Monte-Carlo error of a printed error, relative to it: two runs that differ in their
seeds alone agree within 5 %."""
MEAN_NOISE_LIMIT = 0.1 / _BETWEEN_RUNS
"""The same of a printed mean, relative to its error: two runs agree within 0.1 sigma."""


@dataclass(frozen=True)
class Verdict:
    """Whether a posterior may be believed, and what to do if not.

    Attributes
    ----------
    believable : bool
        Whether every check passed.
    sentences : tuple of str
        One sentence a failed check, each ending in a remedy; or the one that says all is well.
    worst_rhat, min_ess_bulk, min_ess_tail, min_bfmi : float
        The extremes over all reported quantities (energies: over chains).
    worst_rhat_of, min_ess_bulk_of, min_ess_tail_of : str
        Which quantity each belongs to.
    divergences, draws, chains : int
        Counts after warm-up; draws per chain.
    mean_steps : float
        Mean number of leapfrog steps a draw.
    error_noise, mean_noise : float
        Largest Monte-Carlo error of a printed error and of a printed mean, in units of the error.
    error_noise_of, mean_noise_of : str
        Which quantity each belongs to.
    """

    believable: bool
    sentences: tuple[str, ...]
    worst_rhat: float
    worst_rhat_of: str
    min_ess_bulk: float
    min_ess_bulk_of: str
    min_ess_tail: float
    min_ess_tail_of: str
    min_bfmi: float
    divergences: int
    draws: int
    chains: int
    mean_steps: float
    error_noise: float
    error_noise_of: str
    mean_noise: float
    mean_noise_of: str

    def as_dict(self) -> dict[str, Any]:
        """Return the record as plain types for JSON."""
        return asdict(self)


def judge(
    posterior: xr.DataTree, quantities: Iterable[str], printed: Iterable[str], complete: bool
) -> Verdict:
    """Return the verdict over the reported quantities of a posterior.

    Parameters
    ----------
    posterior : DataTree
        With groups ``posterior`` and ``sample_stats``.
    quantities : iterable of str
        Variables of ``posterior`` whose chains must agree.
    printed : iterable of str
        Those of them that tables print with an error.
    complete : bool
        Whether sampling ran to its end.
    """
    drawn = posterior["posterior"].to_dataset()[list(quantities)]
    with np.errstate(invalid="ignore"):  # 0/0 for what is constant by definition (D of FULL)
        rhats = rhat_of(drawn)
    of_errors, of_means = monte_carlo_errors(_observed_pairs(drawn[list(printed)], posterior))
    found = {
        "rhat": _extreme(rhats, drawn, np.nanargmax),
        "bulk": _extreme(ess(drawn, method="bulk"), drawn, np.nanargmin),
        "tail": _extreme(ess(drawn, method="tail"), drawn, np.nanargmin),
        "error": of_errors,
        "mean": of_means,
    }
    stats = posterior["sample_stats"].to_dataset()
    divergences = int(stats["diverging"].sum())
    bfmi = float(np.min(bfmi_of(posterior)["energy"]))
    failed = tuple(_failures(found, divergences, bfmi, sampler_done=complete))
    return Verdict(
        believable=not failed,
        sentences=failed or ("The chains agree and the draws may be used.",),
        worst_rhat=found["rhat"][0],
        worst_rhat_of=found["rhat"][1],
        min_ess_bulk=found["bulk"][0],
        min_ess_bulk_of=found["bulk"][1],
        min_ess_tail=found["tail"][0],
        min_ess_tail_of=found["tail"][1],
        min_bfmi=bfmi,
        divergences=divergences,
        draws=drawn.sizes["draw"],
        chains=drawn.sizes["chain"],
        mean_steps=float(stats["n_steps"].mean()),
        error_noise=of_errors[0],
        error_noise_of=of_errors[1],
        mean_noise=of_means[0],
        mean_noise_of=of_means[1],
    )


def blame_rows(verdict: Verdict, disagreeing: Sequence[str]) -> Verdict:
    """Return the verdict that names rows which disagree beyond the card, where there are any.

    Of a run that may not be believed they are the likely cause, and the remedies of the
    diagnostics would not help.

    Parameters
    ----------
    verdict : Verdict
        What the diagnostics say.
    disagreeing : sequence of str
        Sentences of `mirical.inference.disagreements`.
    """
    if not disagreeing:
        return verdict
    told = [f"{sentence[0].upper()}{sentence[1:]}" for sentence in disagreeing]
    if verdict.believable:
        return replace(verdict, sentences=(*verdict.sentences, *told))
    rest = (
        f"With such rows the chains do not converge (R-hat of {verdict.worst_rhat_of} is "
        f"{verdict.worst_rhat:.3f}, the Monte-Carlo error of the mean of {verdict.mean_noise_of} "
        f"{verdict.mean_noise:.1%} of its error); longer ones would not help before the rows are "
        "corrected."
    )
    return replace(verdict, sentences=(*told, rest))


def _observed_pairs(drawn: xr.Dataset, posterior: xr.DataTree) -> xr.Dataset:
    """Return the draws, the colours of stars in bands without rows held constant.

    No table prints these.
    """
    if "star_band_offset" not in drawn:
        return drawn
    rows = posterior["constant_data"].to_dataset()
    seen = xr.zeros_like(drawn["star_band_offset"][0, 0], dtype=bool)
    seen.values[rows["star_index"].values, rows["band_index"].values] = True
    return drawn.assign(star_band_offset=drawn["star_band_offset"].where(seen, 0.0))


def monte_carlo_errors(drawn: xr.Dataset) -> tuple[tuple[float, str], tuple[float, str]]:
    """Return the largest Monte-Carlo error of a quoted error and of a mean, and whose they are.

    Both in units of the quoted error.

    Parameters
    ----------
    drawn : Dataset
        Variables with dims chain and draw.
    """
    if not drawn.data_vars:
        return (0.0, ""), (0.0, "")
    low, high = (drawn.quantile(level, dim=("chain", "draw")) for level in LEVELS)
    inside = ((drawn >= low) & (drawn <= high)).astype(float)
    with np.errstate(invalid="ignore"):  # 0/0 for what is constant by definition (D of FULL)
        of_inside, of_mean = ess(inside, method="mean"), ess(drawn, method="mean")
    of_errors, of_means = of_inside.copy(deep=True), of_mean.copy(deep=True)
    for name, variable in drawn.data_vars.items():
        values = variable.transpose("chain", "draw", ...).values
        values = values.reshape(values.shape[0] * values.shape[1], -1)
        width, spread = half_width(values), values.std(axis=0, ddof=1)
        effective = of_inside[name].values.ravel()
        errors = [
            error_noise(values[:, i], n) if width[i] > 0 else np.nan
            for i, n in enumerate(effective)
        ]
        of_errors[name].values[...] = np.reshape(errors, of_errors[name].shape)
        means = np.full(len(width), np.nan)
        np.divide(spread, np.sqrt(of_mean[name].values.ravel()) * width, out=means, where=width > 0)
        of_means[name].values[...] = means.reshape(of_means[name].shape)
    return _extreme(of_errors, drawn, np.nanargmax), _extreme(of_means, drawn, np.nanargmax)


def _failures(
    extremes: dict[str, tuple[float, str]], divergences: int, bfmi: float, *, sampler_done: bool
) -> Iterable[str]:
    rhat = extremes["rhat"]
    if not sampler_done:
        yield "Sampling was interrupted; run the job again for the draws it asks for."
    if not rhat[0] <= RHAT_LIMIT:
        yield (
            f"The chains disagree: R-hat of {rhat[1]} is {rhat[0]:.3f}, expected at most "
            f"{RHAT_LIMIT}; double --warmup, and look at that quantity's prior if it stays."
        )
    for kind in ("bulk", "tail"):
        found = extremes[kind]
        if not found[0] >= ESS_LIMIT:
            yield (
                f"Too few effective draws: {kind} ESS of {found[1]} is {found[0]:.0f}, expected at "
                f"least {ESS_LIMIT}; raise --draws by a factor {ESS_LIMIT / max(found[0], 1):.1f}."
            )
    for kind, limit in (("error", ERROR_NOISE_LIMIT), ("mean", MEAN_NOISE_LIMIT)):
        found = extremes[kind]
        if not found[0] <= limit:
            yield (
                f"Too few draws for what is printed: the Monte-Carlo error of the {kind} of "
                f"{found[1]} is {100 * found[0]:.1f} % of its error, expected at most "
                f"{100 * limit:.1f} %; raise --draws by a factor {(found[0] / limit) ** 2:.1f}."
            )
    if divergences:
        what = "1 draw" if divergences == 1 else f"{divergences} draws"
        yield (
            f"{what} diverged, so part of the posterior may be missed; raise "
            "sampler target_accept towards 0.99 in the job file."
        )
    if not bfmi >= BFMI_LIMIT:
        yield (
            f"The energy explores slowly (E-BFMI {bfmi:.2f}, expected at least {BFMI_LIMIT}): "
            "a scale has hardly any data; tighten its prior in the card or drop its term."
        )


def _extreme(values: xr.Dataset, drawn: xr.Dataset, choose: Any) -> tuple[float, str]:
    """Return the extreme value and the name of its quantity, e.g. ``A[F560W]``."""
    found = []
    for name, value in values.data_vars.items():
        constant = (drawn[name].std(("chain", "draw")) == 0).values
        flat = np.where(constant, np.nan, value.values).ravel()
        if np.all(constant):
            continue
        # A quantity that varies but has no finite diagnostic is the worst there is.
        if np.any(~np.isfinite(flat) & ~constant.ravel()):
            return float("nan"), str(name)
        place = int(choose(flat))
        found.append((float(flat[place]), f"{name}{_labels(value, place)}"))
    return found[int(choose([number for number, _ in found]))]


def _labels(value: xr.DataArray, place: int) -> str:
    if value.ndim == 0:
        return ""
    where = np.unravel_index(place, value.shape)
    labels = [str(value[dim].values[i]) for dim, i in zip(value.dims, where, strict=True)]
    return f"[{', '.join(labels)}]"
