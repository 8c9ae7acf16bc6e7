"""R-hat and effective draws of many quantities at once, as ArviZ has them of one.

The definitions are those of Vehtari et al. (2021, Bayesian Analysis 16, 667) and the numbers those
of `arviz_stats`, to rounding. That library looks at quantity after quantity in Python: for the
thousand of a run it takes seconds, and a fit asks again and again while it samples.

Everywhere values have shape (quantity, chain, draw), and of a quantity with a draw that is no
number the diagnostics are NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from scipy.special import ndtri

Floats = NDArray[np.float64]

TAIL = 0.89
"""Share of the draws below the upper tail; that of the lower one is the rest."""

_FEWEST = 4  # draws of a chain
_SAME = 1e-15  # range of draws that are all the same


def rhat_and_bulk(values: Floats) -> tuple[Floats, Floats]:
    """Return rank-normalised split R-hat and the effective draws of the bulk, (quantity,) each.

    R-hat is NaN of a single chain.
    """
    if values.shape[2] < _FEWEST:
        return _nothing(values), _nothing(values)
    bad = _odd(values)
    halves = _split(values)
    scores = _normal_scores(halves)
    folded = np.abs(halves - np.median(halves, axis=(1, 2), keepdims=True))
    rhat, of_tails = _rhat(scores), _rhat(_normal_scores(folded))
    rhat = np.where(of_tails > rhat, of_tails, rhat)
    alone = values.shape[1] < 2
    return np.where(bad | alone, np.nan, rhat), np.where(bad, np.nan, _effective(scores))


def ess_tail(values: Floats) -> Floats:
    """Return the smaller number of effective draws of being in either tail, (quantity,)."""
    if values.shape[2] < _FEWEST:
        return _nothing(values)
    flat = values.reshape(len(values), -1)
    low, high = np.quantile(flat, sorted((TAIL, 1 - TAIL)), axis=1)[:, :, None, None]
    both = [_effective(_split((values <= end).astype(float))) for end in (low, high)]
    return np.where(_odd(values), np.nan, np.minimum(*both))


def ess_mean(values: Floats) -> Floats:
    """Return the effective draws of the mean, (quantity,)."""
    if values.shape[2] < _FEWEST:
        return _nothing(values)
    return np.where(_odd(values), np.nan, _effective(_split(values)))


def _nothing(values: Floats) -> Floats:
    return np.full(len(values), np.nan)


def _odd(values: Floats) -> NDArray[np.bool_]:
    return np.any(np.isnan(values).reshape(len(values), -1), axis=1)


def _split(values: Floats) -> Floats:
    """Return both halves of each chain as chains, without the draw in the middle of an odd one."""
    half = values.shape[2] // 2
    return np.concatenate([values[:, :, :half], values[:, :, -half:]], axis=1)


def _normal_scores(values: Floats) -> Floats:
    """Return the normal scores of each quantity's draws; equal draws share their mean rank."""
    flat = values.reshape(len(values), -1)
    number = flat.shape[1]
    order = np.argsort(flat, axis=1)
    ordered = np.take_along_axis(flat, order, axis=1)
    place = np.arange(number)
    first = np.ones(flat.shape, dtype=bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    if first.all():
        twice = np.broadcast_to(2 * place, flat.shape)
    else:
        begin = np.maximum.accumulate(np.where(first, place, 0), axis=1)
        last = np.ones(flat.shape, dtype=bool)
        last[:, :-1] = first[:, 1:]
        ends = np.where(last, place, number)[:, ::-1]
        twice = begin + np.minimum.accumulate(ends, axis=1)[:, ::-1]
    of_rank = ndtri((1 + np.arange(2 * number - 1) / 2 - 3 / 8) / (number + 1 / 4))
    scores = np.empty(flat.shape)
    np.put_along_axis(scores, order, of_rank[twice], axis=1)
    scores[np.isnan(flat)] = np.nan
    return scores.reshape(values.shape)


def _rhat(values: Floats) -> Floats:
    draws = values.shape[2]
    between = draws * np.var(values.mean(axis=2), axis=1, ddof=1)
    within = np.var(values, axis=2, ddof=1).mean(axis=1)
    return np.sqrt((between / within + draws - 1) / draws)


def _effective(values: Floats) -> Floats:
    """Return the effective draws by Geyer's initial monotone sequence.

    With rho_t the autocorrelation at lag t and P_k = rho_2k + rho_2k+1, draws / tau where

        tau = -1 + 2 sum_{k < L} min(P_0, ..., P_k) + rho_2L,

    L the first k whose P_k is not positive, or the last there is; rho_2L counts only if it or P_L
    is not negative.
    """
    _, chains, draws = values.shape
    number = chains * draws
    covariance = _autocovariance(values)
    within = covariance[:, :1] * draws / (draws - 1)
    total = within * (draws - 1) / draws
    if chains > 1:
        total = total + np.var(values.mean(axis=2), axis=1, ddof=1)[:, None]
    pairs = max((draws - 1) // 2, 1)  # lags 0 and 1 at least
    rho = 1 - (within - covariance[:, : 2 * pairs]) / total
    rho[:, 0] = 1.0
    even, sums = rho[:, ::2], rho[:, ::2] + rho[:, 1::2]
    ended = ~(sums > 0)
    last = np.where(ended.any(axis=1), ended.argmax(axis=1), pairs - 1)[:, None]
    smallest = np.minimum.accumulate(sums, axis=1)
    whole = np.where(np.arange(pairs) < last, smallest, 0.0).sum(axis=1)
    end, end_sum = (np.take_along_axis(of, last, axis=1)[:, 0] for of in (even, sums))
    tau = -1 + 2 * whole + np.where((end_sum >= 0) | (end > 0), end, 0.0)
    effective = number / np.maximum(tau, 1 / np.log10(number))
    effective = np.where(np.isnan(rho[:, 1]), np.nan, effective)
    constant = np.ptp(values, axis=(1, 2)) < _SAME
    return np.where(constant, number, effective)


def _autocovariance(values: Floats) -> Floats:
    """Return the autocovariance by lag, mean over the chains, (quantity, lag)."""
    draws = values.shape[2]
    length = next_fast_len(2 * draws, real=True)
    waves = np.fft.rfft(values - values.mean(axis=2, keepdims=True), n=length, axis=2)
    power = (waves.real**2 + waves.imag**2).mean(axis=1)
    return np.fft.irfft(power, n=length, axis=1)[:, :draws] / draws
