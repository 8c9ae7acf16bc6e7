"""What a run expects of rows that it does not have, over all its draws, and streams of such rows.

Over the draws (`mirical.monitoring.prospect`), the mean of rows is the mean of the means, and their
covariance the mean of the covariances and the covariance of the means (the law of total variance).
Streams of rows are drawn from single draws, whose scatters and outliers differ. How far visits
scatter few rows tell of: if the draws leave that open, they are grouped by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mirical.cards.card import Card
from mirical.inference.gaussian import Gaussians
from mirical.monitoring.cadence import Cadence
from mirical.monitoring.changes import YEAR, Watched, epochs_of
from mirical.monitoring.innovations import Expected
from mirical.monitoring.prospect import Layout, Prospect, layout, look_ahead
from mirical.monitoring.watched_rows import Cells, WatchedRows, cells_of

Floats = NDArray[np.float64]

_CUTS = 0.5, 0.8, 0.95  # of the draws in order of their visits' scatter: its tail makes alarms
_OPEN = 4.0  # ratio of the visits' variance in one in twenty at either end, to be grouped
_FEWEST_FREEDOM = 4.0
_MOST_FREEDOM = 1e4


@dataclass(frozen=True)
class Forecast:
    """What a run says of rows.

    Attributes
    ----------
    rows : Layout
        The rows.
    prospect : Prospect
        What it rests on.
    means : (draw, row) array
        Mean of ln C at every draw.
    expected : Expected
        Over all draws.
    groups : tuple of (float, Expected)
        Shares of groups of draws, and the same with the scatter of visits that each has; all draws
        alone where they agree on it.
    """

    rows: Layout
    prospect: Prospect
    means: Floats
    expected: Expected
    groups: tuple[tuple[float, Expected], ...]

    def streams(self, count: int, random: np.random.Generator) -> Floats:
        """Return ln C of streams of rows without a change, each of a draw, (row, stream)."""
        prospect, rows = self.prospect, self.rows
        draw = random.permutation(np.resize(np.arange(len(prospect)), count))
        variance, vectors = np.linalg.eigh(prospect.covariance)
        spread = vectors * np.sqrt(np.clip(variance, 0, None))[:, None, :]
        visits = int(rows.visit.max()) + 1
        n_cells, n_rows = prospect.level.shape[1], len(rows)
        scatter = np.sqrt(prospect.scatter(rows))
        fraction, width, of_visits = (
            prospect.scalar(name) for name in ("outlier_fraction", "outlier_width", "visit_scale")
        )
        found = np.empty((n_rows, count))
        for s, k in enumerate(draw):
            cells = spread[k] @ random.standard_normal(n_cells)
            visit = np.append(of_visits[k] * random.standard_normal(visits), 0.0)
            wrong = random.uniform(size=n_rows) < fraction[k]
            own = np.hypot(scatter[k], wrong * width[k])
            found[:, s] = self.means[k] + cells[rows.cell] + visit[rows.visit]
            found[:, s] += own * random.standard_normal(n_rows)
        return found


def forecast(rows: Layout, prospect: Prospect, gaussians: Gaussians) -> Forecast:
    """Return what a run says of rows.

    Parameters
    ----------
    rows : Layout
        The rows.
    prospect, gaussians : Prospect, Gaussians
        As `look_ahead` returns them, of the cells of these rows.
    """
    means = prospect.means(rows, gaussians)
    scatter = prospect.scatter(rows)
    shared = prospect.covariance.mean(axis=0)[np.ix_(rows.cell, rows.cell)]
    alike = (rows.visit[:, None] == rows.visit) & (rows.visit >= 0)
    deviation = means - means.mean(axis=0)
    covariance = shared + deviation.T @ deviation / max(len(prospect) - 1, 1)
    covariance[np.diag_indices_from(covariance)] += scatter.mean(axis=0)
    width = np.mean(prospect.scalar("outlier_width") ** 2)
    freedom = _freedom(rows, prospect, scatter)

    def with_visits(variance: float) -> Expected:
        root = np.linalg.cholesky(covariance + variance * alike)
        return Expected(
            mean=means.mean(axis=0),
            root=root,
            kappa=np.sqrt(1 + width / np.diag(root) ** 2),
            outlier_fraction=float(np.mean(prospect.scalar("outlier_fraction"))),
            band=rows.band,
            cell=rows.cell,
            own=np.sqrt(scatter.mean(axis=0) + variance * (rows.visit >= 0)),
            freedom=freedom,
        )

    of_visits = prospect.scalar("visit_scale") ** 2
    expected = with_visits(float(of_visits.mean()))
    low, high = np.quantile(of_visits, (0.05, 0.95))
    if high <= _OPEN * low:
        return Forecast(rows, prospect, means, expected, ((1.0, expected),))
    cuts = (np.array(_CUTS) * len(of_visits)).astype(int)
    parts = np.split(np.sort(of_visits), cuts)
    groups = tuple((len(one) / len(of_visits), with_visits(float(one.mean()))) for one in parts)
    return Forecast(rows, prospect, means, expected, groups)


def _freedom(rows: Layout, prospect: Prospect, scatter: Floats) -> Floats:
    """Return the degrees of freedom with which the run knows the scatter of rows in each band.

    Those of the scaled inverse chi-squared distribution with the spread that the draws have.
    """
    variance = scatter + prospect.scalar("visit_scale")[:, None] ** 2
    found = np.full(len(rows.design.bands), _MOST_FREEDOM)
    for band in np.unique(rows.band):
        of_draw = variance[:, rows.band == band].mean(axis=1)
        spread = np.var(of_draw) / np.mean(of_draw) ** 2
        freedom = _FEWEST_FREEDOM + 2 / max(spread, 1e-6)
        found[band] = min(freedom, _MOST_FREEDOM)
    return found


@dataclass(frozen=True)
class Expectation:
    """What a run expects of its new rows, and of rows to come.

    Attributes
    ----------
    rows : WatchedRows
        Rows of the run and new ones.
    plan : Cadence
        Rows to come.
    cells : Cells
        Of the new rows, then of those to come.
    prospect, gaussians : Prospect, Gaussians
        What is said of the cells.
    """

    rows: WatchedRows
    plan: Cadence
    cells: Cells
    prospect: Prospect
    gaussians: Gaussians

    @property
    def since(self) -> float:
        """Last row of the run, MJD in days."""
        return float(self.rows.mjd[: self.rows.old].max())

    def of_new_rows(self) -> tuple[Forecast, Watched]:
        """Return what the run expects of the new rows."""
        places = self.rows.new
        visits = np.asarray(self.rows.design.visit)[places]
        return self._of(slice(0, len(places)), places, self.rows.mjd[places], visits)

    def to_come(self, years: float = np.inf) -> tuple[Forecast, Watched]:
        """Return what the run expects of rows to come, those of the first years."""
        until = self.since + YEAR * years
        few = int(np.searchsorted(self.plan.mjd, until, side="right"))
        some = slice(len(self.rows.new), len(self.rows.new) + few)
        return self._of(some, self.plan.rows[:few], self.plan.mjd[:few], self.plan.visit[:few])

    def _of(
        self, some: slice, places: NDArray[np.intp], mjd: Floats, visit: NDArray[np.intp]
    ) -> tuple[Forecast, Watched]:
        cells, t0 = self.cells, self.rows.design.t0
        mine = Cells(cells.of_row[some], cells.example, cells.old_visit)
        laid = layout(self.rows.design, places, mjd - t0, mine, visit)
        design = laid.design
        watched = Watched(
            mjd,
            epochs_of(mjd),
            laid.band,
            np.asarray(design.subarray),
            design.bands,
            design.subarrays,
            # Rows that were taken before the run's last one and came later are watched as well.
            min(self.since, float(mjd[0])),
        )
        return forecast(laid, self.prospect, self.gaussians), watched


def expectation(
    posterior: xr.DataTree,
    card: Card,
    rows: WatchedRows,
    plan: Cadence,
    draws: NDArray[np.intp],
    advance: Callable[[int], None],
) -> Expectation:
    """Return what a run expects of new rows and of rows to come.

    Parameters
    ----------
    posterior, card : DataTree, Card
        Of the run.
    rows : WatchedRows
        Rows of the run and new ones.
    plan : Cadence
        Rows to come.
    draws : (draw,) int array
        Which draws of the posterior are looked at.
    advance : callable
        Told of each draw done.
    """
    chosen = np.concatenate([rows.new, plan.rows])
    cells = cells_of(rows.design, rows.old, chosen, np.arange(len(chosen)) >= len(rows.new))
    looked = look_ahead(posterior, draws, card, rows, cells, advance)
    return Expectation(rows, plan, cells, *looked)
