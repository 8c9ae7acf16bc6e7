"""A run's rows with the candidates' and the goal's beside them, as one design with its draws.

What candidates share with rows of the run (star, type, band, readout) is then told by the same
indices, and `mirical.inference.gaussian.Gaussians` gives the prior covariance of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mirical.cards.card import Card
from mirical.inference.schema import Arrays
from mirical.model.design import Design
from mirical.model.terms import colour_correlation
from mirical.planning.candidates import Candidates
from mirical.planning.goals import Atom

_OF_ROWS = "log_factor", "log_factor_unc", "elapsed", "band", "subarray", "star", "visit"


@dataclass(frozen=True)
class Augmented:
    """A run's rows, then a candidate each, then an atom each.

    Attributes
    ----------
    design : Design
        Of all of them. Atoms of ln D have a row like any other, which nobody asks for.
    rows, candidates : int
        How many rows the run has, and how many candidates follow.
    new_stars : int
        How many of the last stars have no rows in the run.
    """

    design: Design
    rows: int
    candidates: int
    new_stars: int

    def sites(self, sites: Arrays, card: Card, random: np.random.Generator) -> Arrays:
        """Return draws of the run (`mirical.inference.gaussian_draws.row_sites`) for all rows.

        A new star's colours are drawn from their prior, in each draw by its scale. What is said of
        the new rows' scatter is nothing: nobody looks at it.
        """
        added = len(self.design.rows) - self.rows
        draws = len(sites["sigma"])
        found = dict(sites)
        found["expected"] = np.pad(sites["expected"], ((0, 0), (0, added)))
        found["sigma"] = np.pad(sites["sigma"], ((0, 0), (0, added)), constant_values=1.0)
        colour = np.zeros((draws, self.new_stars, len(self.design.bands)))
        if card.has("star_band_offset"):
            half_df = card.fixed("colour_tail") / 2
            precision = random.gamma(half_df, size=(draws, self.new_stars)) / half_df
            root = np.linalg.cholesky(np.asarray(colour_correlation(self.design, card)))
            size = sites["colour_scale"][:, None] / np.sqrt(precision)
            colour = size[..., None] * (random.standard_normal(colour.shape) @ root.T)
        found["star_band_offset"] = np.concatenate([sites["star_band_offset"], colour], axis=1)
        return found


def augment(design: Design, card: Card, planned: Candidates, atoms: Sequence[Atom]) -> Augmented:
    """Return a run's design with candidates and atoms.

    Parameters
    ----------
    design : Design
        Of the run.
    card : Card
        Its model.
    planned : Candidates
        Whose bands the run has.
    atoms : sequence of Atom
        Of the goal.
    """
    stars = list(dict.fromkeys((*design.stars, *planned.stars)))
    new = stars[len(design.stars) :]
    kinds = list(dict.fromkeys((*design.types, *(planned.types[name] for name in new))))
    visits = [f"{star}, {unit}" for star, unit in zip(planned.stars, planned.units, strict=True)]
    places = {visit: len(design.visits) + i for i, visit in enumerate(dict.fromkeys(visits))}
    first = np.arange(len(atoms)) + len(design.visits) + len(places)
    ends = np.array([np.nan_to_num(atom.mjd, nan=design.reference_mjd) for atom in atoms])
    of_atoms = [atom.band or design.bands[0] for atom in atoms]
    subarray = [design.subarrays.index(term) for term in planned.terms]
    added = {
        "log_factor": np.zeros(len(planned) + len(atoms)),
        "log_factor_unc": np.ones(len(planned) + len(atoms)),
        "elapsed": np.concatenate([planned.mjd, ends]) - design.t0,
        "band": [design.bands.index(band) for band in (*planned.bands, *of_atoms)],
        "subarray": subarray + [0] * len(atoms),
        "star": [stars.index(name) for name in planned.stars] + [0] * len(atoms),
        "visit": [*(places[visit] for visit in visits), *first],
    }
    grown = {
        name: np.concatenate([np.asarray(getattr(design, name)), values]).astype(
            np.asarray(getattr(design, name)).dtype
        )
        for name, values in added.items()
    }
    n_new, n_added = len(new), len(planned) + len(atoms)
    covariates, last = design.covariates, len(design.covariates.reductions) - 1
    grown_design = replace(
        design,
        **grown,
        star_type=np.concatenate(
            [np.asarray(design.star_type), [kinds.index(planned.types[name]) for name in new]]
        ).astype(np.int32),
        flux_unc=_flux_unc(design, planned, stars),
        free=np.pad(np.asarray(design.free), (0, n_new)),
        stars=tuple(stars),
        types=tuple(kinds),
        visits=(*design.visits, *places, *(f"atom {i}" for i in range(len(atoms)))),
        rows=(*design.rows, *(max(design.rows) + 1 + i for i in range(n_added))),
        covariates=replace(
            covariates,
            # At the pivots of the card, where slopes with rate and well depth have no effect.
            log_rate=_grown(covariates.log_rate, _pivot(card, "rate_pivot"), n_added),
            log_well=_grown(covariates.log_well, _pivot(card, "well_pivot"), n_added),
            reduction=_grown(covariates.reduction, last, n_added),
        ),
    )
    return Augmented(grown_design, len(design.rows), len(planned), n_new)


def _pivot(card: Card, name: str) -> float:
    return float(np.log10(card.fixed(name))) if name in card.priors else 0.0


def _grown(values: object, value: float, count: int) -> NDArray:
    known = np.asarray(values)
    return np.concatenate([known, np.full(count, value)]).astype(known.dtype)


def _flux_unc(design: Design, planned: Candidates, stars: Sequence[str]) -> NDArray[np.float64]:
    """Return the stated errors of predicted fluxes, in the cells of candidates those assumed."""
    known = np.pad(np.asarray(design.flux_unc), ((0, len(stars) - len(design.stars)), (0, 0)))
    seen = np.zeros(known.shape, dtype=bool)
    seen[np.asarray(design.star), np.asarray(design.band)] = True
    for star, band, error in zip(planned.stars, planned.bands, planned.flux_unc, strict=True):
        place = stars.index(star), design.bands.index(band)
        if not seen[place]:
            known[place] = error
    return known
