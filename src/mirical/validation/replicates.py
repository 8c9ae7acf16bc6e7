"""One replicate of a simulation-based calibration: draw from the model, refit, rank."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers

from mirical.cards.card import Card, priors_of
from mirical.fast.refits import FastRefits
from mirical.inference.refits import Refits, Values
from mirical.inference.runtime import random_key
from mirical.inference.sampling import without_leverage
from mirical.inference.schema import Arrays
from mirical.jobs.sampler import Sampler
from mirical.laws.timelaw import log_relative_factor
from mirical.many.tasks import Perform
from mirical.model.design import Design, with_rows
from mirical.model.joint import joint
from mirical.model.likelihood import row_distribution
from mirical.validation.posterior_truths import second_program, twice
from mirical.validation.ranked_quantities import COLOUR, Place, tracked
from mirical.validation.ranks import rank_of

MOST_KEPT = 99
"""Largest number of thinned draws a rank is taken among."""


@dataclass(frozen=True)
class Distortion:
    """What is wrong on purpose, to see that it is found out.

    Attributes
    ----------
    scatter : float
        The rows scatter so many times more than their errors and the
        repeatability they were drawn with say.
    dropped : str
        Term with which the rows are drawn and without which they are fitted; none if empty.
    """

    scatter: float = 1.0
    dropped: str = ""

    def fitted(self, card: Card) -> Card:
        """Return the card the refits use."""
        if not self.dropped:
            return card
        dropped = priors_of(self.dropped, card.law)
        return replace(
            card,
            terms=tuple(term for term in card.terms if term != self.dropped),
            priors={name: prior for name, prior in card.priors.items() if name not in dropped},
        )


@dataclass(frozen=True)
class Study:
    """What is calibrated: a card on a design, one chain a refit.

    Attributes
    ----------
    design : Design
        Its log factors count where truths are drawn from their posterior, and only there.
    card : Card
        Model the rows are drawn from, and fitted with but for the distortion.
    sampler : Sampler
        Warm-up, draws, seed and target acceptance.
    distortion : Distortion
        Nothing by default.
    truths : dict of {str : (draw, ...) array}, optional
        Draws of the posterior of the design's rows, from which truths are taken; they are drawn
        from the card's prior by default.
    fast : bool
        Whether the rows are fitted by `mirical.fast` and not by a chain.
    """

    design: Design
    card: Card
    sampler: Sampler
    distortion: Distortion = Distortion()
    truths: Arrays | None = None
    fast: bool = False

    @property
    def fitted(self) -> Design:
        """The design of what is fitted."""
        return self.design if self.truths is None else twice(self.design)


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


DISTORTIONS: dict[str | None, Distortion] = {
    None: Distortion(),
    "scatter": Distortion(scatter=1.5),
    "no-star-offset": Distortion(dropped="star_offset"),
    "no-type-band-offset": Distortion(dropped="type_band_offset"),
}
"""The model as it is, and the wrong ones a calibration must be able to find out, by name."""


class Refitter:
    """Draws and fits replicates of a study with functions that are compiled once."""

    def __init__(self, study: Study) -> None:
        design, sampler = study.fitted, study.sampler
        card = study.distortion.fitted(study.card)
        self.labels = tuple(tracked(design, card))
        self._sampler = sampler
        self._key = random_key(sampler.seed, "replicates")
        self._values = values_of(design, card)
        if study.fast:
            self._refits = FastRefits(design, card, self._values)
        else:
            self._refits = Refits(design, card, sampler, self._values)
        self._design, self._drawn_from = design, (design, study.truths)
        simulate = jax.jit(partial(self._simulate, study))
        self._draw = simulate.lower(self._key, *self._drawn_from).compile()

    def replicate(self, number: int, stop: threading.Event) -> Replicate | None:
        """Draw, refit and rank one replicate; None if stopped before its end."""
        truth_key, chain_key = jax.random.split(jax.random.fold_in(self._key, number))
        truth, rows = map(np.asarray, self._draw(truth_key, *self._drawn_from))
        fit = self._refits.fit(chain_key, with_rows(self._design, rows), stop)
        if fit is None:
            return None
        n_draws = len(fit.values)
        if not n_draws:
            return Replicate(number, fit.problem, 0, 0, None, None, {})
        random = np.random.default_rng([self._sampler.seed, number])
        n_kept = np.nan_to_num(np.minimum(fit.ess, MOST_KEPT), nan=1.0).astype(int)
        ranks = {
            label: rank_of(float(truth[i]), fit.values[:, i], int(n_kept[i]), random)
            for i, label in enumerate(self.labels)
        }
        worst = float(np.max(fit.rhat)), float(np.min(fit.ess))
        rhat, ess = (w if np.isfinite(w) else None for w in worst)
        return Replicate(number, fit.problem, n_draws, fit.diverged, rhat, ess, ranks)

    def perform(self, number: int, stop: threading.Event) -> dict[str, Any] | None:
        """Return what `replicate` does as plain types for JSON."""
        done = self.replicate(number, stop)
        return None if done is None else done.as_dict()

    def _simulate(
        self, study: Study, key: jax.Array, design: Design, truths: Arrays | None
    ) -> tuple[jax.Array, jax.Array]:
        """Return the true values of the quantities and the rows of a draw."""
        scatter = study.distortion.scatter
        if truths is not None:
            which_key, key = jax.random.split(key)
            count = len(truths["expected"])
            which = jax.random.randint(which_key, (), 0, count)
            one = jax.tree.map(lambda values: values[which], truths)
            sites, rows = second_program(key, study.design, one, scatter)
            return self._values(sites, replace(design, log_factor=rows)), rows
        model = handlers.trace(handlers.seed(joint, key))
        trace = model.get_trace(without_leverage(design), study.card, observed=False)
        sites = {name: site["value"] for name, site in trace.items() if site["type"] != "plate"}
        deviation = sites["log_factor"] - sites["expected"]
        rows = sites["expected"] + scatter * deviation
        return self._values(sites, replace(design, log_factor=rows)), rows


def refitting(study: Study) -> Perform:
    """Return the function that draws, refits and ranks a replicate by its number."""
    return Refitter(study).perform


def values_of(design: Design, card: Card) -> Values:
    """Return the function that finds the `tracked` quantities in the sites of one draw."""
    places = tuple(tracked(design, card).values())
    pair = tuple(design.bands.index(b) for b in COLOUR) if set(COLOUR) <= set(design.bands) else ()
    return partial(_values, places=places, law=card.law, pair=pair)


def _values(
    sites: dict[str, Any],
    design: Design,
    places: tuple[Place, ...],
    law: str,
    pair: tuple[int, ...],
) -> jax.Array:
    """Return the ranked quantities of one draw of the model's sites."""
    fraction, width = (sites.get(f"outlier_{part}") for part in ("fraction", "width"))
    rows = row_distribution(sites["expected"], sites["sigma"], fraction, width)
    bands = jnp.arange(len(design.bands))
    elapsed = jnp.full(len(bands), design.usual_mjd - design.t0)
    at_reference = log_relative_factor(law, elapsed, sites, bands)
    derived = {
        "C_ref": sites["A"] * jnp.exp(at_reference),
        "log_likelihood": jnp.sum(rows.log_prob(jnp.asarray(design.log_factor))),
    }
    if pair:
        derived["colour"] = derived["C_ref"][pair[0]] / derived["C_ref"][pair[1]]
    values = sites | derived
    return jnp.stack([values[v] if i is None else values[v][i] for _, v, i in places])
