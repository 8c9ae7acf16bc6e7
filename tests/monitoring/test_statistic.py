"""Shiryaev-Roberts statistic: ratios against the whole Gaussian, and its mean under no change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from mirical.monitoring.changes import (
    ALL,
    BAND,
    GAPS,
    READOUT,
    SCATTER,
    SHARES,
    SLOPE,
    STEP,
    YEAR,
    Watched,
    changes,
    epochs_of,
)
from mirical.monitoring.innovations import Expected, innovations
from mirical.monitoring.monitor import WATCH_LEVEL
from mirical.monitoring.statistic import SequentialTest, learn, shiryaev_roberts

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
    covariance = 1e-5 * (half @ half.T / rows + np.eye(rows))
    root = np.asarray(np.linalg.cholesky(covariance), dtype=float)
    return Expected(
        mean=np.full(rows, -0.7),
        root=root,
        kappa=np.full(rows, 30.0),
        outlier_fraction=fraction,
        band=np.tile([0, 1, 1], 4),
        cell=np.tile([0, 1, 2], 4),
        own=np.diag(root),
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
def test_a_change_of_unknown_size_has_the_likelihood_ratio_of_the_gaussians(shape: str, scope: str):
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
    white, seen_at = innovations(rows, of), watched().epoch
    covariance = of.root @ of.root.T
    for change in found:
        for e, learnt in enumerate(learn(change, white.value, white.unit, white.tested, of, 4)):
            seen = seen_at <= e
            begun = [start.epoch for start in change.starts if start.epoch <= e]
            assert learnt.log_ratio.shape == (len(begun), len(change.scales), 2)
            for s, d in np.ndindex(learnt.log_ratio.shape[:2]):
                h = effect(shape, change.rows, begun[s])
                moved = covariance + change.scales[d] ** 2 * np.outer(h, h)
                with_change, without = (
                    multivariate_normal.logpdf(rows[seen].T, of.mean[seen], c[np.ix_(seen, seen)])
                    for c in (moved, covariance)
                )
                exact = with_change - without
                np.testing.assert_allclose(learnt.log_ratio[s, d], exact, rtol=1e-6, atol=1e-6)
                gain = change.scales[d] ** 2 * h[seen] @ np.linalg.inv(moved[np.ix_(seen, seen)])
                size = gain @ (rows[seen] - of.mean[seen, None])
                np.testing.assert_allclose(learnt.mean[s, d], size, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("size", [0.02, 0.05, 0.13, 0.6])
def test_a_step_of_any_size_is_told_though_each_row_would_be_an_outlier(size: float):
    """Twenty rows of an error of 0.3 % and outliers of 10 %; whatever the size, a few rows do."""
    rows = 20
    of = Expected(
        mean=np.zeros(rows), root=0.003 * np.eye(rows), kappa=np.full(rows, 33.0),
        outlier_fraction=0.01, band=np.zeros(rows, dtype=int), cell=np.zeros(rows, dtype=int),
        own=np.full(rows, 0.003), freedom=np.full(1, 1e12),
    )  # fmt: skip
    mjd = np.linspace(60030.0, 60000.0 + 30.0 * rows, rows)
    w = Watched(mjd, epochs_of(mjd), of.band, of.band, ("F770W",), ("FULL",), 60000.0)
    noise = 0.003 * np.random.default_rng(6).standard_normal(rows)
    found = innovations((noise + size * (mjd > 60330))[:, None], of)
    assert np.all(found.outlier[12:] > 0.9) or size < 0.05
    steps = [c for c in changes(w, of) if (c.shape, c.scope) == (STEP, BAND)]
    part = shiryaev_roberts(found, steps, of, rows)[0, :, 0]
    first = int(np.flatnonzero(mjd > 60330)[0])
    assert part[first - 1] < 1 and part[first + 2] > 100
    *_, last = learn(steps[0], found.value, found.unit, found.tested, of, rows)
    begun = last.mean[first, int(np.argmax(last.log_ratio[first, :, 0])), 0]
    assert begun == pytest.approx(size, abs=0.004)


def test_shares_sum_to_one_and_starts_cover_the_time_since_the_fit():
    found = changes(watched(), expected())
    assert sum(change.share for change in found) == pytest.approx(1.0)
    # A kind's share is that of all its bands together, as in the other kinds.
    steps = [sum(c.share for c in found if (c.shape, c.scope) == (STEP, s)) for s in (BAND, ALL)]
    assert steps[0] / steps[1] == pytest.approx(SHARES[STEP, BAND] / SHARES[STEP, ALL])
    kinds = {(c.shape, c.scope, c.name) for c in found}
    # All rows are in neither readout; the second one has a band alone, and is no question.
    assert {(STEP, READOUT, "FULL")} == {kind for kind in kinds if kind[1] == READOUT}
    assert {(shape, BAND, "F770W") for shape in (STEP, SLOPE, SCATTER)} < kinds
    for change in found:
        starts = change.starts
        assert starts[0].after == 60000.0
        assert all(b.after == a.before for a, b in zip(starts, starts[1:], strict=False))


def test_a_first_row_as_expected_is_no_sign_after_a_gap_of_years():
    of = Expected(
        mean=np.zeros(1), root=np.full((1, 1), 0.003), kappa=np.full(1, 33.0),
        outlier_fraction=0.01, band=np.zeros(1, dtype=int), cell=np.zeros(1, dtype=int),
        own=np.full(1, 0.003), freedom=np.full(1, 1e12),
    )  # fmt: skip
    mjd, one = np.array([60000.0 + 6 * YEAR]), np.zeros(1, dtype=int)
    w = Watched(mjd, epochs_of(mjd), one, one, ("F770W",), ("FULL",), 60000.0)
    found = innovations(np.zeros((1, 1)), of)
    parts = shiryaev_roberts(found, changes(w, of), of, 1)
    assert 0 < parts.sum() < GAPS[1] / YEAR < WATCH_LEVEL


@pytest.mark.parametrize("fraction", [0.0, 0.02])
def test_without_a_change_its_mean_is_the_time_since_the_fit(
    fraction: float, monkeypatch: pytest.MonkeyPatch
):
    """Sizes of a third of a row's error, so that the mean of so many streams tells it.

    A sound test fails by chance in one of ten thousand seeds: four standard errors, four epochs.
    """
    scales = {STEP: (0.001,), SLOPE: (0.005,), SCATTER: (1.1,)}
    monkeypatch.setattr("mirical.monitoring.changes.SCALES", scales)
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


def test_of_groups_of_draws_the_mean_is_the_time_since_the_fit_as_well(
    monkeypatch: pytest.MonkeyPatch,
):
    """Streams whose visits scatter much, in one of four, or not at all; sizes and error as above.

    What is expected on average takes the visits of the one for changes.
    """
    scales = {STEP: (0.004,), SLOPE: (0.02,), SCATTER: (1.1,)}
    monkeypatch.setattr("mirical.monitoring.changes.SCALES", scales)
    of, w, streams = expected(), watched(), 8000

    def with_visits(variance: float) -> Expected:
        alike = w.epoch[:, None] == w.epoch
        root = np.linalg.cholesky(2e-5 * np.eye(12) + variance * alike)
        return replace(of, root=root, own=np.diag(root))

    groups = [(0.75, with_visits(0.0)), (0.25, with_visits(8e-5))]
    random = np.random.default_rng(12)
    second = random.uniform(size=streams) < 0.25
    unit = random.standard_normal((12, streams))
    rows = of.mean[:, None] + np.where(second, groups[1][1].root @ unit, groups[0][1].root @ unit)
    mixed, average = (
        SequentialTest(w, each).parts(rows).sum(axis=0)
        for each in (groups, [(1.0, with_visits(2e-5))])
    )
    asked = [
        sum(c.share * s.years for c in changes(w, of) for s in c.starts if s.epoch <= e)
        for e in range(4)
    ]
    error = mixed.std(axis=1) / np.sqrt(streams)
    assert np.all(np.abs(mixed.mean(axis=1) - asked) < 4 * error)
    assert np.all(error < 0.03 * np.array(asked))
    assert np.all(average.mean(axis=1)[1:] > np.array(asked[1:]) + 4 * error[1:])
