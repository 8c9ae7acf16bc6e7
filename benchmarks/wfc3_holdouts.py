"""Hold-outs on the real WFC3 rows: stars and times that the fit never saw, and their errors.

    python benchmarks/wfc3_holdouts.py PHOTOMETRY [--chains 2] [--out reports/wfc3]

PHOTOMETRY is the public table (docs/instruments.md says where it is); only sums over rows are
written. Two questions:

- ``holdouts-stars.ecsv``: each of the three CALSPEC primaries is left out in turn, and the mean
  ln C of its rows in every band predicted from its predicted fluxes and all other rows. The
  predicted error holds that of C, the star's gray and colour offsets at the scales the other two
  primaries leave open, visits, repeatability and photometry. Rows off by more than five times
  their scatter from the median of the star's rows in the band and cycle do not count (how many is
  told).
- ``holdouts-late.ecsv``: the rows of the last six months are left out and predicted one by one,
  outliers included. A star that has no earlier rows and no predicted flux cannot be predicted
  (``unpredicted``): a second fit is told the first row of such a star in each band.

Rows of one star and visit share their offsets, so that shares of rows inside an interval scatter
more than binomially: ``range_68`` and ``range_95`` hold the central 95 % of the shares that the
model itself expects, from programs drawn from its prediction of all rows at once.
"""

from __future__ import annotations

import argparse
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import chi2, norm

from mirical.inference import runtime

if TYPE_CHECKING:
    from astropy.table import QTable

    from mirical.jobs.inputs import Inputs
    from mirical.model.row_gaussian import Gaussian

Floats = np.ndarray[Any, np.dtype[np.float64]]
PRIMARIES = "GD 71", "GD 153", "G 191-B2B"
LATE, ASKED, DRAWN, FAR = 182.6, 100, 400, 5.0
"""Days held out at the end; draws asked of a chain; programs drawn; scatters beyond which a row is
off."""
LEVELS = {"68": (0.16, 0.84), "95": (0.025, 0.975)}


class HoldOuts:
    """Fits of the run's model without some of its rows, compiled once.

    Parameters
    ----------
    inputs : Inputs
        Rows and card.
    chains : int
        Chains of a fit.
    """

    def __init__(self, inputs: Inputs, chains: int) -> None:
        import jax

        from mirical.inference.gaussian_draws import Packing
        from mirical.inference.refits import MORE, SHORT, Refits

        self._design, self._card, self._chains = inputs.design, inputs.card, chains
        self._packing = Packing(inputs.design, inputs.card)
        self._refits = Refits(
            inputs.design, inputs.card, SHORT, self._packing.values, MORE, self._packing.judged
        )
        self._key = jax.random.key(59720)
        self._refits.adapt(self._key, inputs.design)

    def without(self, held: np.ndarray, number: int) -> list[tuple[Gaussian, Floats]]:
        """Return all rows at draws of a fit without some, and the held rows' scatter if sound."""
        import jax

        from mirical.inference.gaussian import Gaussians
        from mirical.model.design import without_rows

        masked, found = without_rows(self._design, held), []
        for chain in range(self._chains):
            key = jax.random.fold_in(self._key, 100 * number + chain)
            fit = self._refits.fit(key, masked, threading.Event())
            assert fit is not None  # nobody stops it
            if fit.problem:
                sys.exit(f"hold-out {number}, chain {chain + 1}: {fit.problem}")
            sys.stderr.write(
                f"hold-out {number}, chain {chain + 1}: R-hat {fit.rhat.max():.3f}, "
                f"{fit.ess.min():.0f} effective draws\n"
            )
            places = np.linspace(0, len(fit.values) - 1, ASKED).astype(int)
            sites = self._packing.sites(fit.values[places])
            rows = Gaussians(sites, masked, self._card, 59720 + chain)
            band, unc = self._design.band[held], self._design.log_factor_unc[held]
            for draw in range(ASKED):
                scatter = np.hypot(sites["repeatability"][draw][band], unc)
                found.append((rows[draw], scatter))
        return found


def main() -> None:
    """Fit, predict, print and write the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photometry", type=Path)
    parser.add_argument("--chains", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("reports/wfc3"))
    options = parser.parse_args()
    runtime.configure()
    from machine import machine

    from mirical.jobs.inputs import resolve_job
    from mirical.jobs.job import load_job
    from mirical.tables.formats import write_ecsv

    job = replace(load_job("wfc3"), photometry=str(options.photometry.resolve()))
    inputs = resolve_job(job)
    fits = HoldOuts(inputs, options.chains)
    options.out.mkdir(parents=True, exist_ok=True)
    tables = {"stars": star_table(inputs, fits), "late": late_table(inputs, fits)}
    for name, table in tables.items():
        table.meta |= {"simulated": False, "chains": options.chains, **machine("numpyro")}
        table.pprint(max_lines=-1, max_width=-1)
        sys.stdout.write("".join(f"{key}: {said}\n" for key, said in table.meta.items()))
        write_ecsv(table, options.out / f"holdouts-{name}.ecsv")


def star_table(inputs: Inputs, fits: HoldOuts) -> QTable:
    """Return how the mean rows of each primary lie in its prediction, a line a star and band."""
    from astropy.table import QTable

    design, lines, squares = inputs.design, [], {}
    for number, name in enumerate(PRIMARIES):
        held = np.asarray(design.star) == design.stars.index(name)
        draws, band = fits.without(held, number), np.asarray(design.band)[held]
        scatter = np.median([s for _, s in draws], axis=0)
        used = not_far(design, held, scatter)
        at = (band[used] == np.arange(len(design.bands))[:, None]) / scatter[used] ** 2
        at /= at.sum(axis=1, keepdims=True)
        off, within = [], []
        for rows, spread in draws:
            mean, shared = rows.given_rows(~held)
            covariance = shared[np.ix_(used, used)] + np.diag(spread[used] ** 2)
            off.append(at @ mean[used])
            within.append(at @ covariance @ at.T)
        off, within = np.array(off), np.array(within)
        mean, covariance = off.mean(0), within.mean(0) + np.cov(off.T)
        widths = np.sqrt(np.diagonal(within, axis1=1, axis2=2))
        below = norm.cdf(off / widths).mean(0)
        square = float(mean @ np.linalg.solve(covariance, mean))
        squares[name] = {
            "chi2": round(square, 2),
            "bands": len(mean),
            "p": round(float(chi2.sf(square, len(mean))), 3),
            "gray": gray(mean, covariance),
        }
        for b, of in enumerate(design.bands):
            lines.append(
                {
                    "name": name,
                    "filter": of,
                    "rows": int((band[used] == b).sum()),
                    "rows_off": int((band[~used] == b).sum()),
                    "difference": round(float(mean[b]), 5),
                    "predicted_error": round(float(np.sqrt(covariance[b, b])), 5),
                    "pull": round(float(mean[b] / np.sqrt(covariance[b, b])), 2),
                    "share_below": round(float(below[b]), 3),
                }
            )
    table = QTable(rows=lines)
    table[
        "difference"
    ].info.description = (
        "Mean ln C of the held-out rows less predicted; positive: star fainter than predicted"
    )
    share = np.asarray(table["share_below"])
    table.meta["title"] = "Primaries left out in turn, and the mean of their rows predicted"
    for level, (low, high) in LEVELS.items():
        table.meta[f"inside_{level}"] = f"{int(((share > low) & (share < high)).sum())} of 18"
    table.meta["by_star"] = squares
    return table


def gray(mean: Floats, covariance: Floats) -> str:
    """Return the offset common to a star's bands, and its predicted error."""
    weight = np.linalg.solve(covariance, np.ones(len(mean)))
    return f"{weight @ mean / weight.sum():+.5f} +- {weight.sum() ** -0.5:.5f}"


def not_far(design: Any, held: np.ndarray, scatter: Floats) -> np.ndarray:
    """Return which held rows are near the median of the star's rows of their band and cycle."""
    z, cell = design.log_factor[held], design.band[held] * 10 + design.subarray[held]
    centre = np.array([np.median(z[cell == one]) for one in cell])
    return np.abs(z - centre) < FAR * scatter


def late_table(inputs: Inputs, fits: HoldOuts) -> QTable:
    """Return how many of the last rows lie in their intervals, by band, visit and over all."""
    from astropy.table import QTable

    design = inputs.design
    elapsed, star = np.asarray(design.elapsed), np.asarray(design.star)
    late = elapsed > elapsed.max() - LATE
    cell = star * len(design.bands) + np.asarray(design.band)
    known = np.isin(cell, cell[~late]) | (np.asarray(design.free)[star] == 0)
    new = np.flatnonzero(late & ~known)
    told = np.zeros_like(late)
    told[new[np.unique(cell[new], return_index=True)[1]]] = True
    lines = []
    asked = {
        "stars seen before": (late, late & known),
        "new stars, one row a band told": (late & ~told, late & ~known & ~told),
    }
    for number, (which, (held, judged)) in enumerate(asked.items()):
        draws = fits.without(held, 10 + number)
        lines += _late_lines(which, inputs, draws, held, judged)
    table = QTable(rows=lines)
    table.meta["title"] = "Rows of the last six months, predicted from those before"
    table["predicted_error"].info.description = "Half the central 68 % interval, median row"
    table.meta["rows_held"], table.meta["unpredicted"] = int(late.sum()), len(new)
    table.meta["unpredicted_stars"] = len(set(star[new].tolist()))
    return table


def _late_lines(
    which: str, inputs: Inputs, draws: list, held: np.ndarray, judged: np.ndarray
) -> list[dict[str, Any]]:
    design, random = inputs.design, np.random.default_rng(59720)
    observed, part = np.asarray(design.log_factor)[judged], judged[held]
    means, widths, roots, chances, wides, of = [], [], [], [], [], len(draws)
    for rows, scatter in draws:
        mean, shared = rows.given_rows(~held)
        mean, shared = mean[part], shared[np.ix_(part, part)]
        means.append(observed - mean)
        widths.append(np.sqrt(np.diag(shared) + scatter[part] ** 2))
        covariance = shared + np.diag(scatter[part] ** 2)
        roots.append(np.linalg.cholesky(covariance))
        chances.append(rows.outlier_fraction)
        wides.append(rows.outlier_width)
    means, widths = np.array(means), np.array(widths)
    chance, wide = np.array(chances)[:, None], np.array(wides)[:, None]

    def below(z: Floats) -> Floats:
        off = z - means
        sound, wrong = norm.cdf(off / widths), norm.cdf(off / np.hypot(widths, wide))
        return ((1 - chance) * sound + chance * wrong).mean(0)

    share = below(observed)
    drawn, rows_drawn = [], []
    for _ in range(DRAWN):
        k = int(random.integers(of))
        wrong = random.uniform(size=part.sum()) < chances[k]
        z = means[k] + roots[k] @ random.normal(size=part.sum())
        rows_drawn.append(z + wrong * wides[k] * random.normal(size=part.sum()))
        drawn.append(below(rows_drawn[-1]))
    expected = np.array(drawn)
    least, most = np.quantile(rows_drawn, LEVELS["68"], axis=0)
    off = observed - np.median(rows_drawn, axis=0)
    visit = [design.visits[v] for v in design.visit[judged]]
    band = [design.bands[b] for b in design.band[judged]]
    groups = {("all", "all"): np.ones(len(share), bool)}
    groups |= {(b, "all"): np.array(band) == b for b in design.bands}
    groups |= {("all", v): np.array(visit) == v for v in dict.fromkeys(visit)}
    lines = []
    for (of_band, of_visit), here in groups.items():
        line = {"rows_of": which, "filter": of_band, "visit": of_visit, "rows": int(here.sum())}
        line["median_difference"] = round(float(np.median(off[here])), 5)
        line["predicted_error"] = round(float(np.median((most - least)[here]) / 2), 5)
        for level, (low, high) in LEVELS.items():
            inside = ((expected > low) & (expected < high))[:, here].mean(1)
            ends = np.quantile(inside, [0.025, 0.975])
            within = (share > low) & (share < high)
            line[f"inside_{level}"] = round(float(within[here].mean()), 3)
            line[f"range_{level}"] = f"{ends[0]:.2f}-{ends[1]:.2f}"
        lines.append(line)
    return lines


if __name__ == "__main__":
    main()
