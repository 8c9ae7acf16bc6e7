"""What a run says of stars, bands and readouts at each draw, for rows that it does not have.

At a draw of what is not Gaussian in the model (law, scales, outliers of the run), the offsets of a
star in a band and readout are normal given the run's rows (`mirical.inference.gaussian`), and rows

    y_i = law(t_i) + detector terms + offset of the cell + visit + scatter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mirical.cards.card import Card
from mirical.inference.gaussian import Gaussians
from mirical.inference.gaussian_draws import row_sites
from mirical.inference.schema import Arrays
from mirical.model.design import Design
from mirical.model.detector_terms import DETECTOR_TERMS, effect_at_rows
from mirical.model.terms import colour_correlation
from mirical.monitoring.watched_rows import Cells, WatchedRows

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Layout:
    """Rows that a forecast is of, in order of time.

    Attributes
    ----------
    design : Design
        Of these rows alone: bands, readouts, epochs, covariates, photometric errors.
    cell : (row,) int array
        Cell of each row.
    visit : (row,) int array
        Visit of each, -1 for one that the run has.
    """

    design: Design
    cell: NDArray[np.intp]
    visit: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.cell)

    @property
    def band(self) -> NDArray[np.integer]:
        """Index of each row's band."""
        return np.asarray(self.design.band)


def layout(
    design: Design, rows: NDArray[np.intp], elapsed: Floats, cells: Cells, visit: NDArray[np.intp]
) -> Layout:
    """Return the layout of rows of a design, at epochs of their own (days since t0)."""
    old = cells.old_visit[cells.of_row]
    return Layout(
        replace(_taken(design, rows), elapsed=elapsed), cells.of_row, np.where(old, -1, visit)
    )


def _taken(design: Design, rows: NDArray[np.intp]) -> Design:
    """Return a design of some rows of another, which need not be different ones."""
    columns = "log_factor", "log_factor_unc", "elapsed", "band", "subarray", "star", "visit"
    seen = design.covariates
    taken = replace(
        seen,
        **{n: np.asarray(getattr(seen, n))[rows] for n in ("log_rate", "log_well", "reduction")},
    )
    return replace(
        design,
        **{name: np.asarray(getattr(design, name))[rows] for name in columns},
        rows=tuple(range(1, len(rows) + 1)),
        covariates=taken,
    )


@dataclass(frozen=True)
class Prospect:
    """What the run says of cells at some draws.

    Attributes
    ----------
    sites : mapping of {str : (draw, ...) array}
        The draws themselves, `mirical.inference.gaussian_draws.row_sites`.
    repeatability : (draw, band) array
        Of the bands.
    level : (draw, cell) array
        Mean of ln C without law and detector terms.
    covariance : (draw, cell, cell) array
        Covariance of that, visits and scatter of rows apart.
    card : Card
        The model.
    t0 : float
        Zero point of the time law, MJD in days.
    """

    sites: Arrays
    repeatability: Floats
    level: Floats
    covariance: Floats
    card: Card
    t0: float

    def __len__(self) -> int:
        return len(self.level)

    def scalar(self, name: str) -> Floats:
        """Return a scale at every draw, zero where the card does without, (draw,)."""
        if name not in self.sites or name not in self.card.priors:
            return np.zeros(len(self))
        return np.asarray(self.sites[name], dtype=float)

    def means(self, rows: Layout, gaussians: Gaussians) -> Floats:
        """Return the mean of ln C of rows at every draw, (draw, row)."""
        elapsed, found = np.asarray(rows.design.elapsed), []
        for draw in range(len(self)):
            known = {
                name: jnp.asarray(self.sites[name][draw])
                for name in DETECTOR_TERMS
                if self.card.has(name)
            }
            detector = np.asarray(effect_at_rows(rows.design, self.card, known))
            law = gaussians.law_effect(draw, elapsed, rows.band)
            found.append(self.level[draw, rows.cell] + law + detector)
        return np.array(found)

    def scatter(self, rows: Layout) -> Floats:
        """Return the variance of each sound row by itself at every draw, (draw, row)."""
        unc = np.asarray(rows.design.log_factor_unc)
        return self.repeatability[:, rows.band] ** 2 + unc**2


def look_ahead(
    posterior: xr.DataTree,
    draws: NDArray[np.intp],
    card: Card,
    known: WatchedRows,
    cells: Cells,
    advance: Callable[[int], None],
) -> tuple[Prospect, Gaussians]:
    """Return what a run says of cells, and the Gaussians it was found with.

    Parameters
    ----------
    posterior : DataTree
        Of the run.
    draws : (draw,) int array
        Which draws are looked at.
    card : Card
        The model.
    known : WatchedRows
        The run's rows, and others.
    cells : Cells
        What is asked about.
    advance : callable
        Told of each draw done.
    """
    design, old = known.design, known.old
    group = posterior["posterior"].to_dataset()
    every = row_sites({str(name): np.asarray(group[name]) for name in group}, card)
    seed = int(posterior.attrs["seed"])
    repeatability = np.asarray(group["repeatability"])
    repeatability = repeatability.reshape(-1, repeatability.shape[-1])[draws]
    chosen = np.concatenate([np.arange(old), cells.example])
    joined = _taken(design, chosen)
    # A cell of a visit that the run does not have stands in one of its own, taken out below.
    visits = np.asarray(joined.visit).copy()
    fresh = old + np.flatnonzero(~cells.old_visit)
    visits[fresh] = len(design.visits) + np.arange(len(fresh))
    joined = replace(joined, visit=visits)
    sites = _grown({n: v[draws] for n, v in every.items()}, joined, old, card, seed)
    gaussians = Gaussians(sites, joined, card, seed)
    of_run = np.arange(len(chosen)) < old
    own_visit = np.diag((~cells.old_visit).astype(float))
    elapsed, band = (np.asarray(getattr(joined, n))[old:] for n in ("elapsed", "band"))
    examples = _taken(design, cells.example)
    level = np.empty((len(draws), len(cells.example)))
    covariance = np.empty((*level.shape, level.shape[1]))
    for draw in range(len(draws)):
        rows = gaussians[draw]
        off, shared = rows.given_rows(of_run)
        values = {n: jnp.asarray(sites[n][draw]) for n in DETECTOR_TERMS if card.has(n)}
        detector = np.asarray(effect_at_rows(examples, card, values))
        sampled = gaussians.law_effect(draw, elapsed, band) + detector
        level[draw] = np.asarray(joined.log_factor)[old:] - off - sampled
        visit = float(sites["visit_scale"][draw]) if "visit_scale" in sites else 0.0
        covariance[draw] = shared - visit**2 * own_visit
        advance(1)
    return Prospect(sites, repeatability, level, covariance, card, design.t0), gaussians


def _grown(sites: Arrays, joined: Design, old: int, card: Card, seed: int) -> Arrays:
    """Return draws with places for rows and stars that the run does not have.

    The colours of a new star are drawn from their prior, in each draw by its scale. What stands
    for the scatter of new rows is taken out again by `Gaussian.given_rows`.
    """
    draws, added = len(sites["sigma"]), len(joined.rows) - old
    found = dict(sites)
    found["expected"] = np.pad(sites["expected"], ((0, 0), (0, added)))
    found["expected"][:, old:] = np.asarray(joined.log_factor)[old:]
    found["sigma"] = np.pad(sites["sigma"], ((0, 0), (0, added)), constant_values=1.0)
    new_stars = len(joined.stars) - sites["star_band_offset"].shape[1]
    colour = np.zeros((draws, new_stars, len(joined.bands)))
    if card.has("star_band_offset") and new_stars:
        random = np.random.default_rng([seed, new_stars])
        half_df = card.fixed("colour_tail") / 2
        precision = random.gamma(half_df, size=(draws, new_stars)) / half_df
        root = np.linalg.cholesky(np.asarray(colour_correlation(joined, card)))
        size = sites["colour_scale"][:, None] / np.sqrt(precision)
        colour = size[..., None] * (random.standard_normal(colour.shape) @ root.T)
    found["star_band_offset"] = np.concatenate([sites["star_band_offset"], colour], axis=1)
    return found
