"""Shiryaev-Roberts statistic: ratios against the whole Gaussian, and its mean under no change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from mirical.monitoring.changes import (
    ALL,
    BAND,
    READOUT,
    SCATTER,
    SLOPE,
    STEP,
    YEAR,
    Watched,
    changes,
    epochs_of,
)
from mirical.monitoring.innovations import Expected, innovations
from mirical.monitoring.statistic import log_ratios, shiryaev_roberts

MJD = 60000.0 + np.repeat([30.0, 62.0, 95.0, 130.0], 3)


def watched() -> Watched:
    """Return four epochs of two bands, the second in two readouts."""
    band = np.tile([0, 1, 1], 4)
    readout = np.tile([0, 0, 1], 4)
    bands, readouts = ("F770W", "F1500W"), ("FULL", "SUB64")
    return Watched(MJD, epochs_of(MJD), band, readout, bands, readouts, 60000.0)


def expected(rows: int = 12, fraction: float = 0.0) -> Expected:
    random = np.random.default_rng(2)
    half = random.standard_normal((rows, rows))
    root = np.linalg.cholesky(1e-5 * (half @ half.T / rows + np.eye(rows)))
    return Expected(
        mean=np.full(rows, -0.7),
        root=root,
        kappa=np.full(rows, 30.0),
        outlier_fraction=fraction,
        band=np.tile([0, 1, 1], 4),
        freedom=np.full(2, 1e12),
    )


def effect(shape: str, rows: np.ndarray, start: int) -> np.ndarray:
    """Return what a change of unit size adds to ln C, from an epoch on."""
    w = watched()
    begun = w.ends[start - 1] if start else w.since
    grown = (MJD - begun) / YEAR if shape == SLOPE else np.ones(12)
    return np.where(np.isin(np.arange(12), rows) & (w.epoch >= start), grown, 0.0)


@pytest.mark.parametrize("scope", [BAND, READOUT, ALL])
@pytest.mark.parametrize("shape", [STEP, SLOPE])
def test_a_change_of_all_rows_has_the_likelihood_ratio_of_the_gaussians(shape: str, scope: str):
    """Of all rows the ratio is exact; of some, what it says of the others' innovations is unused.

    A band's own ratio is the exact one where its rows share nothing with others'.
    """
    of = expected()
    if scope != ALL:
        same = of.band[:, None] == of.band if scope == BAND else np.eye(12)
        of = replace(of, root=np.linalg.cholesky((of.root @ of.root.T) * same))
    found = [c for c in changes(watched(), of) if (c.shape, c.scope) == (shape, scope)]
    assert len(found) == {BAND: 2, READOUT: 1 if shape == STEP else 0, ALL: 1}[scope]
    rows = of.mean[:, None] + of.root @ np.random.default_rng(7).standard_normal((12, 2))
    white = innovations(rows, of)
    covariance = of.root @ of.root.T
    for change in found:
        for start, ratios in log_ratios(change, white.value, white.unit, of, 4):
            assert ratios.shape == (4 - start.epoch, len(change.sizes), 2)
            for e in range(start.epoch, 4):
                seen = watched().epoch <= e
                for d, size in enumerate(change.sizes):
                    moved = of.mean + size * effect(shape, change.rows, start.epoch)
                    with_change, without = (
                        multivariate_normal.logpdf(
                            rows[seen].T, mean[seen], covariance[np.ix_(seen, seen)]
                        )
                        for mean in (moved, of.mean)
                    )
                    exact = with_change - without
                    np.testing.assert_allclose(
                        ratios[e - start.epoch, d], exact, rtol=1e-7, atol=1e-7
                    )


def test_shares_sum_to_one_and_starts_cover_the_time_since_the_fit():
    found = changes(watched(), expected())
    assert sum(change.share for change in found) == pytest.approx(1.0)
    kinds = {(c.shape, c.scope, c.name) for c in found}
    # All rows are in neither readout; the second one has a band alone, and is no question.
    assert {(STEP, READOUT, "FULL")} == {kind for kind in kinds if kind[1] == READOUT}
    assert {(shape, BAND, "F770W") for shape in (STEP, SLOPE, SCATTER)} < kinds
    for change in found:
        starts = change.starts
        assert starts[0].after == 60000.0
        assert all(b.after == a.before for a, b in zip(starts, starts[1:], strict=False))


@pytest.mark.parametrize("fraction", [0.0, 0.02])
def test_without_a_change_its_mean_is_the_time_since_the_fit(
    fraction: float, monkeypatch: pytest.MonkeyPatch
):
    """Sizes of a third of a row's error, so that the mean of so many streams tells it.

    A sound test fails by chance in one of ten thousand seeds: four standard errors, four epochs.
    """
    sizes = {STEP: (0.001,), SLOPE: (0.005,), SCATTER: (1.1,)}
    monkeypatch.setattr("mirical.monitoring.changes.SIZES", sizes)
    of = expected(fraction=fraction)
    random, streams = np.random.default_rng(11), 4000
    wide = np.where(random.uniform(size=(12, streams)) < fraction, 30.0, 1.0)
    rows = of.mean[:, None] + of.root @ (wide * random.standard_normal((12, streams)))
    # What an outlier does to the rows after it is approximate: there the rows share nothing.
    if fraction:
        of = replace(of, root=np.diag(np.diag(of.root)))
        rows = of.mean[:, None] + of.root @ (wide * random.standard_normal((12, streams)))
    parts = shiryaev_roberts(innovations(rows, of), changes(watched(), of), of, 4)
    statistic = parts.sum(axis=0)
    error = statistic.std(axis=1) / np.sqrt(streams)
    # A change is asked for from the fit to the last start: starts are 25 or 75 days apart.
    asked = [
        sum(c.share * s.years for c in changes(watched(), of) for s in c.starts if s.epoch <= e)
        for e in range(4)
    ]
    assert np.all(np.abs(statistic.mean(axis=1) - asked) < 4 * error)
    assert np.all(error < 0.02 * np.array(asked))
