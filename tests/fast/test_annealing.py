"""Annealed weights: exact on a density whose integral and moments are known by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from mirical.fast.annealing import anneal
from mirical.fast.mode import Mode
from mirical.fast.proposal import Proposal
from mirical.fast.target import Found, Others

SHIFT, WIDTH = np.array([0.7, -0.4, 0.2]), np.array([0.8, 1.3, 1.0])
NUMBER = 40_000


class Known:
    """N(SHIFT, WIDTH^2) times e^2, without rows that may be outliers."""

    def at(self, e: Any, outlier: Any, proposal: Proposal, others: Others) -> Found:
        off = (e - SHIFT) / WIDTH
        density = 2.0 - 0.5 * np.sum(off**2, axis=1) - np.sum(np.log(WIDTH))
        nothing = np.zeros((len(e), 1))
        return Found(density, np.zeros(len(e)), -off / WIDTH, nothing - np.inf, nothing, nothing)


def test_weights_tell_the_integral_and_the_moments():
    """Points are drawn from N(0, 1); limits are 4.5 standard errors: one run in 30 000 fails."""
    proposal = Proposal.normal(np.zeros(3), np.eye(3))
    others = Others(np.zeros(1), np.ones(1), np.zeros(()))
    mode = Mode(proposal, np.zeros(1), others, np.zeros(1))
    target: Any = SimpleNamespace(at=Known().at, nothing=others)
    made = anneal(target, mode, proposal, np.random.default_rng(8), NUMBER, 6)
    # The proposal's and the target's constants (2 pi)^-3/2 are both left out.
    weight = np.exp(made.log_weight)
    error = np.std(weight) / np.sqrt(NUMBER)
    assert abs(np.mean(weight) - np.exp(2.0)) < 4.5 * error < 0.05 * np.exp(2.0)
    share = weight / weight.sum()
    effective = 1 / np.sum(share**2)
    assert effective > 0.5 * NUMBER  # of unannealed points .26
    mean = share @ made.e
    assert np.all(np.abs(mean - SHIFT) < 4.5 * WIDTH / np.sqrt(effective))
    square = share @ (made.e - SHIFT) ** 2 / WIDTH**2
    assert np.all(np.abs(square - 1) < 4.5 * np.sqrt(2 / effective))
    assert not made.outlier.any()
