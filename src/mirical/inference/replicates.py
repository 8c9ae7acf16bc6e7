"""One replicate of a simulation-based calibration: draw from the model, refit, rank."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from arviz_stats.base.array import array_stats
from numpy.typing import NDArray
from numpyro import handlers

from mirical.conventions import REFERENCE_MJD, T0_MJD
from mirical.inference.jobs import Sampler
from mirical.inference.kernels import CollapsedKernel
from mirical.inference.ranks import rank_of
from mirical.inference.sampling import (
    STRETCH,
    random_key,
    stretch,
    without_leverage,
)
from mirical.model.cards import TERMS, Card
from mirical.model.design import Design, with_rows
from mirical.model.joint import joint
from mirical.model.rows import row_distribution
from mirical.model.timelaw import log_relative_factor

MOST_KEPT = 99
"""Largest number of thinned draws a rank is taken among."""

WANTED_ESS = 60
RHAT_LIMIT = 1.1  # of one short chain cut in halves, over tens of quantities
DIVERGENT_LIMIT = 0.02
_LONGEST = 6  # a chain short of effective draws goes on up to so many times its length

Floats = NDArray[Any]
Place = tuple[str, str, int | None]

_BY_BAND = {"A": "factor", "loss": "response_loss", "tau": "response_loss", "C_ref": "factor"}


@dataclass(frozen=True)
class Distortion:
    """What is wrong on purpose, to see that it is found out.

    Attributes
    ----------
    scatter : float
        The rows scatter so many times more than their errors and the
        repeatability they were drawn with say.
    drop_star_offset : bool
        The rows are drawn with gray star offsets and fitted without.
    """

    scatter: float = 1.0
    drop_star_offset: bool = False

    def fitted(self, card: Card) -> Card:
        """Return the card the refits use."""
        if not self.drop_star_offset:
            return card
        dropped = TERMS["star_offset"]
        return replace(
            card,
            terms=tuple(term for term in card.terms if term != "star_offset"),
            priors={name: prior for name, prior in card.priors.items() if name not in dropped},
        )


@dataclass(frozen=True)
class Study:
    """What is calibrated: a card on a design, one chain a refit.

    Attributes
    ----------
    design : Design
        Its log factors are never used.
    card : Card
        Model the rows are drawn from, and fitted with but for the distortion.
    sampler : Sampler
        Warm-up, draws, seed and target acceptance.
    distortion : Distortion
        Nothing by default.
    """

    design: Design
    card: Card
    sampler: Sampler
    distortion: Distortion = Distortion()


@dataclass(frozen=True)
class Replicate:
    """What one replicate leaves behind.

    Attributes
    ----------
    replicate : int
        Its number; with the seed it fixes every random number of it.
    problem : str
        Why the refit must not be believed; empty for a sound one.
    draws, divergences : int
        Draws after warm-up, and how many of them diverged.
    rhat, ess : float or None
        The worst of all quantities; None if the chain could not start.
    ranks : dict of {str : (int, int)}
        Rank of each quantity's true value, and among how many draws.
    """

    replicate: int
    problem: str
    draws: int
    divergences: int
    rhat: float | None
    ess: float | None
    ranks: dict[str, tuple[int, int]]

    def as_dict(self) -> dict[str, Any]:
        """Return the record as plain types for JSON."""
        return asdict(self)


def tracked(design: Design, card: Card) -> dict[str, Place]:
    """Return the quantities that are ranked: label -> (group, variable, index in it).

    The groups are families that belong in one panel: a variable of several
    bands or stars, or the scales of one term.
    """
    found: dict[str, Place] = {}
    named = {name: design.bands for name, term in _BY_BAND.items() if card.has(term)}
    if "tau" in named and all(card.priors[n].is_fixed for n in ("tau_median", "tau_spread")):
        del named["tau"]
    named["repeatability"] = design.bands
    if card.has("star_offset"):
        named["star_offset"] = design.stars
    for name, entries in named.items():
        found |= {f"{name}[{entry}]": (name, name, i) for i, entry in enumerate(entries)}
    if card.has("subarray"):
        seen = sorted(set(np.asarray(design.subarray).tolist()) - {0})
        found |= {f"D[{design.subarrays[i]}]": ("D", "D", i) for i in seen}
    for term in card.terms:
        free = [name for name in TERMS[term] if name != "A" and not card.priors[name].is_fixed]
        found |= {name: (f"scales of {term}", name, None) for name in free}
    return found | {"log_likelihood": ("log likelihood", "log_likelihood", None)}


DISTORTIONS: dict[str | None, Distortion] = {
    None: Distortion(),
    "scatter": Distortion(scatter=1.5),
    "no-star-offset": Distortion(drop_star_offset=True),
}
"""The model as it is, and the wrong ones a calibration must be able to find out, by name."""


class Refitter:
    """Draws and fits replicates of a study with functions that are compiled once."""

    def __init__(self, study: Study) -> None:
        design, sampler = study.design, study.sampler
        card = study.distortion.fitted(study.card)
        self.labels = tuple(tracked(design, card))
        self._sampler = sampler
        self._key = random_key(sampler.seed, "replicates")
        self._kernel = CollapsedKernel(design, card, sampler.target_accept)
        self._values = partial(_values, places=tuple(tracked(design, card).values()))
        data = self._kernel.data
        simulate = jax.jit(partial(self._simulate, study))
        self._draw = simulate.lower(self._key, design).compile()
        start = jax.jit(partial(self._kernel.start, warmup=sampler.warmup))
        self._start = start.lower(self._key, data).compile()
        steps = jax.jit(self._steps).lower(self._start(self._key, data), data)
        self._advance = steps.compile()
        self._design = design
        self._with_rows = jax.jit(with_rows)

    def replicate(self, number: int, stop: threading.Event) -> Replicate | None:
        """Draw, refit and rank one replicate; None if stopped before its end."""
        truth_key, chain_key = jax.random.split(jax.random.fold_in(self._key, number))
        truth, rows = map(np.asarray, self._draw(truth_key, self._design))
        data = (self._with_rows(self._design, rows), *self._kernel.data[1:])
        state = self._start(chain_key, data)
        if not np.isfinite(self._kernel.log_density(state)):
            return Replicate(number, "the chain could not start", 0, 0, None, None, {})
        chain = self._run(state, data, stop)
        if chain is None:
            return None
        draws, diverging, rhat, ess = chain
        random = np.random.default_rng([self._sampler.seed, number])
        n_kept = np.nan_to_num(np.minimum(ess, MOST_KEPT), nan=1.0).astype(int)
        ranks = {
            label: rank_of(float(truth[i]), draws[:, i], int(n_kept[i]), random)
            for i, label in enumerate(self.labels)
        }
        worst = float(np.max(rhat)), float(np.min(ess))
        problem = _problem(*worst, float(diverging.mean()))
        worst_rhat, least_ess = (w if np.isfinite(w) else None for w in worst)
        n_diverged = int(diverging.sum())
        return Replicate(number, problem, len(draws), n_diverged, worst_rhat, least_ess, ranks)

    def _run(
        self, state: Any, data: tuple[Any, ...], stop: threading.Event
    ) -> tuple[Floats, Floats, Floats, Floats] | None:
        """Return draws (draw, quantity), which diverged, and R-hat and ESS of each quantity."""
        warmup, draws = self._sampler.warmup, self._sampler.draws
        pieces, done, wanted = [], 0, draws
        while True:
            while done < warmup + wanted:
                if stop.is_set():
                    return None
                state, piece = self._advance(state, data)
                kept = slice(max(warmup - done, 0), None)
                pieces.append([np.asarray(part)[kept] for part in piece])
                done += STRETCH
            values, diverging = map(np.concatenate, zip(*pieces, strict=True))
            rhat, ess = _diagnose(values)
            if np.min(ess) >= WANTED_ESS or wanted >= _LONGEST * draws:
                return values, diverging, rhat, ess
            wanted += draws

    def _steps(self, state: Any, data: tuple[Any, ...]) -> tuple[Any, tuple[jax.Array, jax.Array]]:
        state, (draws, stats) = stretch(self._kernel, state, data)
        values = jax.lax.map(
            lambda draw: self._values(self._kernel.sites(draw, data), data[0]), draws
        )
        return state, (values, stats["diverging"])

    def _simulate(
        self, study: Study, key: jax.Array, design: Design
    ) -> tuple[jax.Array, jax.Array]:
        """Return the true values of the quantities and the rows of a draw from the prior."""
        model = handlers.trace(handlers.seed(joint, key))
        trace = model.get_trace(without_leverage(design), study.card, observed=False)
        sites = {name: site["value"] for name, site in trace.items() if site["type"] != "plate"}
        deviation = sites["log_factor"] - sites["expected"]
        rows = sites["expected"] + study.distortion.scatter * deviation
        return self._values(sites, replace(design, log_factor=rows)), rows


def _values(sites: dict[str, Any], design: Design, places: tuple[Place, ...]) -> jax.Array:
    """Return the ranked quantities of one draw of the model's sites."""
    fraction, width = (sites.get(f"outlier_{part}") for part in ("fraction", "width"))
    rows = row_distribution(sites["expected"], sites["sigma"], fraction, width)
    at_reference = log_relative_factor(
        jnp.asarray(REFERENCE_MJD - T0_MJD), sites["loss"], sites["tau"]
    )
    derived = {
        "C_ref": sites["A"] * jnp.exp(at_reference),
        "log_likelihood": jnp.sum(rows.log_prob(jnp.asarray(design.log_factor))),
    }
    values = sites | derived
    return jnp.stack([values[v] if i is None else values[v][i] for _, v, i in places])


def _diagnose(values: Floats) -> tuple[Floats, Floats]:
    """Return R-hat of the chain's halves and the effective draws of each quantity."""
    half = len(values) // 2
    halves = np.stack([values[:half].T, values[half : 2 * half].T], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):  # a chain that never moved
        rhat = np.asarray(array_stats.rhat(halves))
        ess = np.asarray(array_stats.ess(halves))
    return rhat, ess


def _problem(rhat: float, ess: float, divergent: float) -> str:
    if not np.isfinite(rhat + ess):
        return "the chain does not move"
    if divergent > DIVERGENT_LIMIT:
        return f"{100 * divergent:.0f} % of the draws diverged"
    if rhat > RHAT_LIMIT:
        return f"R-hat is {rhat:.2f}"
    return "" if ess >= WANTED_ESS / 2 else f"only {ess:.0f} effective draws"
