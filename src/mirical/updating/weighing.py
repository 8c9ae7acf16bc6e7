"""Draws of a run weighed by new rows: resampled, or in batches if the weights are too uneven."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import xarray as xr
from arviz_stats.base.array import array_stats
from numpy.typing import NDArray

from mirical.calibration.store import POSTERIOR
from mirical.chains.weighted_verdict import WEIGHTED_ESS
from mirical.errors import InputError
from mirical.fast.batches import OfOldRows, assimilate_batches
from mirical.fast.fit import Effort, Manner, Tell, fit_fast
from mirical.fast.walk import HALF
from mirical.inference.sampling import sample_prior
from mirical.inference.schema import Arrays
from mirical.model.design import Design
from mirical.model.nesting import roomy_rows
from mirical.model.terms import colour_correlation
from mirical.randomness import generator
from mirical.reporting.run import Drawn, drifts
from mirical.updating.added import Update
from mirical.weighting.assimilation import DrawnBeside, new_rows, weigh_draws
from mirical.weighting.padding import cut
from mirical.weighting.pareto import Weights, resample, smooth_weights
from mirical.weighting.predictive_p_value import REPLICATES, predictive_p
from mirical.weighting.redrawn import redrawn_sites
from mirical.weighting.sampled_sites import told_names

_OF_ROWS = "expected", "sigma"
_DRAWN_AGAIN = (*_OF_ROWS, "star_band_offset", "flux_scale")
MOST = 4000
"""Draws at most: all that is made of a run takes the longer the more there are, and draws of chains
beyond these tell little more."""

LEAST_P_VALUE = 1 / (REPLICATES + 1)
"""Predictive p-value at which new rows are refused: one update in 200 by chance."""
REMEDY = "run the job again on all rows"


@dataclass(frozen=True)
class Weighing:
    """Draws of a run, weighed by new rows.

    Attributes
    ----------
    chains : int
        In how many the draws are stored.
    sites : dict of {str : (draw, ...) array}
        The draws, chain behind chain.
    drawn : DrawnBeside
        What was drawn beside.
    weights : Weights
        Of the draws.
    effective : float
        Effective draws that the weights leave.
    fewest : float
        The same of the reported quantity that has fewest in the run.
    p_value : float
        Predictive p-value of the new rows; one where the weights may be used and it was not asked.
    """

    chains: int
    sites: Arrays
    drawn: DrawnBeside
    weights: Weights
    effective: float
    fewest: float
    p_value: float

    @property
    def enough(self) -> bool:
        """Whether the weights of all new rows at once may be used and leave enough draws."""
        return self.weights.usable and min(self.effective, self.fewest) >= WEIGHTED_ESS

    @property
    def shortage(self) -> str:
        """Why the weights of all new rows at once cannot be used."""
        if not self.weights.usable:
            return (
                f"Pareto k of the weights of all at once is {self.weights.k:.2f}, "
                f"its limit {self.weights.limit:.2f}"
            )
        left = min(self.effective, self.fewest)
        if left >= WEIGHTED_ESS:
            return "the weights of all at once leave too few effective draws of a reported quantity"
        return (
            f"the weights of all at once leave {left:.0f} effective draws of what the run knows "
            f"least, and {WEIGHTED_ESS} are needed"
        )

    @property
    def failure(self) -> str | None:
        """Why the new rows cannot be assimilated, None if they can."""
        if self.p_value > LEAST_P_VALUE:
            return None
        return (
            f"the new rows are not what the run expects: none of {REPLICATES} sets of rows "
            f"simulated from the run is as improbable; Pareto k of the weights is "
            f"{self.weights.k:.2f}"
        )


def weigh(update: Update) -> Weighing:
    """Weigh the draws of a run by new rows.

    Raises
    ------
    InputError
        If the posterior lacks a variable that the card samples.
    """
    chains, sites = _flat(update.parent.posterior)
    old, card = len(update.before.design.rows), update.inputs.card
    kept = {*told_names(update.before.design, card), *_OF_ROWS} - {"colour_precision"}
    if lacking := sorted(kept - set(sites)):
        raise InputError(
            f"{update.parent.folder / POSTERIOR}: has no variable {lacking[0]!r}, which the card "
            f"samples; another version of mirical wrote it: {REMEDY}."
        )
    drawn = weigh_draws(sites, update.inputs.design, old, card, update.seed)
    weights = smooth_weights(drawn.log_weight, _efficiency(drawn.log_weight, chains))
    evenness = weights.kish / len(weights.values)
    left = update.parent.posterior.attrs.get("effective_draws")
    effective = weights.effective
    if left is not None:  # a draw that was weighed before may stand there many times
        effective = min(effective, float(left) * evenness)
    fewest = update.parent.fewest_ess * evenness
    p_value = 1.0
    if not weights.usable:
        p_value = predictive_p(sites, update.inputs.design, old, card, update.seed)
    return Weighing(chains, sites, drawn, weights, effective, fewest, p_value)


def draw_again(update: Update, weighing: Weighing) -> Drawn:
    """Return draws of equal weights, with all offsets drawn anew, and the prior's."""
    design, card, weights = update.inputs.design, update.inputs.card, weighing.weights
    mjd = float(update.parent.posterior.attrs["reference_mjd"])
    chains = weighing.chains
    number = min(len(weights.values), MOST // chains * chains)
    draw = resample(weights.values, number, update.seed)
    rows = roomy_rows(design, colour_correlation(design, card))
    kept, outlier = _stand_for(update, weighing, draw)
    sites = cut(redrawn_sites(kept, outlier, rows, card, update.seed, mjd), design)
    stats = {"parent_draw": draw, "log_weight": np.log(np.maximum(weights.values[draw], 1e-300))}
    return Drawn(
        {name: values.reshape(chains, -1, *values.shape[1:]) for name, values in sites.items()},
        {name: values.reshape(chains, -1) for name, values in stats.items()},
        _prior(update, rows.design),
    )


def assimilate_in_batches(
    update: Update, weighing: Weighing, watch: Tell
) -> tuple[Drawn, tuple[str, ...]]:
    """Return draws after some of the run's assimilated the new rows batch by batch, and doubts.

    Doubts are sentences of what speaks against the draws.
    """
    design, card, seed = update.inputs.design, update.inputs.card, update.seed
    rows = roomy_rows(design, colour_correlation(design, card))
    new = new_rows(rows.design, len(design.rows), len(update.before.design.rows))
    effort, number = Effort(leapfrogs=HALF), len(weighing.weights.values)
    draw = resample(np.full(number, 1 / number), effort.moved, seed)
    kept, outlier = _stand_for(update, weighing, draw)
    begun = OfOldRows(kept, outlier * new.given, rows, new, card, seed)
    mjd = float(update.parent.posterior.attrs["reference_mjd"])
    manner = Manner(effort, partial(assimilate_batches, begun), roomy=True)
    found = fit_fast(design, card, seed, mjd, manner, watch)
    drawn = Drawn(found.sites, found.stats, _prior(update, rows.design))
    return drawn, drifts(found, update.inputs, REMEDY)


def _stand_for(
    update: Update, weighing: Weighing, draw: NDArray[np.intp]
) -> tuple[Arrays, NDArray[np.float64]]:
    """Return what is kept of draws that stand for the weighed ones, and which rows are outliers."""
    kept = {n: v[draw] for n, v in weighing.sites.items() if n not in _DRAWN_AGAIN}
    if update.inputs.card.has("star_band_offset"):
        kept["colour_precision"] = weighing.drawn.colour_precision[draw]
    return kept, weighing.drawn.outlier[draw]


def _prior(update: Update, full: Design) -> Arrays:
    """Return draws from the prior: the run's, with more visits, or new ones if stars are new."""
    before, design = update.before.design, update.inputs.design
    seed, prior = update.job.sampler.seed, update.parent.posterior["prior"].to_dataset()
    if (before.stars, before.types) != (design.stars, design.types):
        return cut(sample_prior(full, update.inputs.card, seed), design)
    drawn = {str(name): values.values[0] for name, values in prior.data_vars.items()}
    if "visit_offset" in drawn:
        known = drawn["visit_offset"]
        more = generator(update.seed, "visit offsets").normal(
            size=(len(known), len(design.visits) - known.shape[1])
        )
        scale = drawn.get("visit_scale", np.zeros(len(known)))
        drawn["visit_offset"] = np.concatenate([known, scale[:, None] * more], axis=1)
    return drawn


def _flat(posterior: xr.DataTree) -> tuple[int, Arrays]:
    """Return how many chains there are, and all draws by name, chain behind chain."""
    drawn = posterior["posterior"].to_dataset()
    sites = {}
    for name, variable in drawn.data_vars.items():
        values = variable.transpose("chain", "draw", ...).values
        if values.dtype.kind == "f":
            sites[str(name)] = values.reshape(-1, *values.shape[2:])
    return drawn.sizes["chain"], sites


def _efficiency(log_weight: np.ndarray, chains: int) -> float:
    """Return how many independent draws a draw is worth to a mean of the weights, at most one."""
    weight = np.exp(log_weight - np.max(log_weight)).reshape(chains, -1)
    if np.ptp(weight) == 0:
        return 1.0
    ess = np.asarray(array_stats.ess(weight, chain_axis=0, draw_axis=1, method="mean")).item()
    return float(np.clip(ess / weight.size, 1 / weight.size, 1.0))
