"""Exact steps: they leave a density that is known by hand as it is, and come to it from afar."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from designs import crowded_design
from miri_facts import MIRI
from mirical.cards.card import load_card
from mirical.fast import walk
from mirical.fast.coordinates import Coordinates
from mirical.fast.mode import Mode
from mirical.fast.proposal import Proposal
from mirical.fast.rounds import Points, Round
from mirical.fast.target import Found, Others
from mirical.fast.walk import Walk

POINTS, STEPS = 20_000, 25
MEAN, WIDTH = np.array([0.7, -0.4, 0.0]), np.array([0.8, 1.3, 1.0])
ALONE, TOGETHER, PULL = np.array([-1.0, 0.5]), -1.5, 0.6


class Known:
    """N(MEAN, WIDTH^2) in two numbers that a trajectory moves; a third that it must leave.

    Of two rows ln p(o) = ALONE . o + TOGETHER o_1 o_2, and an outlier in the first pulls the first
    number up by PULL in units of its width.
    """

    nothing = Others(np.zeros(2), np.ones(2), np.zeros(()))

    def __init__(self) -> None:
        self.coordinates = SimpleNamespace(of_sites=2)
        rows = np.zeros(2, dtype=int)
        known = {"star": rows, "stars": ("a", "b"), "visit": rows, "log_factor_unc": np.ones(2)}
        self.data = (SimpleNamespace(**known), None)

    def at(self, e: Any, outlier: Any, proposal: Proposal, others: Others) -> Found:
        x = proposal.at(e)
        off = (x - MEAN) / WIDTH
        off[:, 0] -= PULL * outlier[:, 0]
        of_rows = outlier @ ALONE + TOGETHER * outlier[:, 0] * outlier[:, 1]
        density = of_rows - 0.5 * np.sum(off**2, axis=1)
        slope = -(off / WIDTH) @ np.asarray(proposal.root)
        odds = ALONE + TOGETHER * outlier[:, ::-1]
        odds[:, 0] += PULL * (off[:, 0] + PULL * (outlier[:, 0] - 0.5))
        none = np.zeros_like(odds)
        return Found(density, np.zeros(len(e)), slope, odds, none, none)


class Nothing:
    """A round that moves nothing."""

    def go(self, points: Points, stars: Any, random: np.random.Generator) -> Round:
        assert sorted(stars) == [0, 1]
        return Round(points, points.x)


def test_steps_come_to_the_density_and_stay_there():
    """Limits are 4.5 standard errors of independent points: one run in 10 000 fails."""
    random = np.random.default_rng(7)
    root = np.array([[0.9, 0, 0], [0.3, 1.2, 0], [0.2, 0.1, 1.0]])
    proposal = Proposal(np.zeros(3), root, np.full(3, 0.2), np.zeros(3))
    target: Any = Known()
    mode = Mode(proposal, np.zeros(2), target.nothing, np.zeros(2))
    rounds: Any = Nothing()
    walk = Walk(target, rounds, mode, proposal, random)
    third = random.normal(size=POINTS)
    points = Points(np.column_stack([np.full((POINTS, 2), 3.0), third]), np.ones((POINTS, 2)))
    for _ in range(STEPS):
        made = walk.step(points)
        points = made.points
    np.testing.assert_allclose(points.x[:, 2], third, atol=1e-12)
    assert np.mean(made.stats["acceptance_rate"]) > 0.8
    both = np.exp([0, ALONE[1], ALONE[0], ALONE.sum() + TOGETHER])
    both /= both.sum()
    found = np.bincount((2 * points.outlier[:, 0] + points.outlier[:, 1]).astype(int), minlength=4)
    assert np.all(np.abs(found / POINTS - both) < 4.5 * np.sqrt(both / POINTS))
    off = (points.x - MEAN)[:, :2] / WIDTH[:2]
    off[:, 0] -= PULL * points.outlier[:, 0]
    assert np.all(np.abs(off.mean(0)) < 4.5 / np.sqrt(POINTS))
    assert np.all(np.abs((off**2).mean(0) - 1) < 4.5 * np.sqrt(2 / POINTS))


def test_standard_numbers_come_back():
    random = np.random.default_rng(1)
    root = np.tril(random.normal(size=(4, 4))) + 3 * np.eye(4)
    bent = Proposal(random.normal(size=4), root, np.array([0.5, -0.4, 0.0, 0.3]),
                    np.array([0.2, 0.0, -0.1, 0.1]))  # fmt: skip
    e = random.normal(size=(5, 4))
    np.testing.assert_allclose(bent.standard(bent.at(e)), e, atol=1e-10)
    np.testing.assert_allclose(bent.at(e)[2], bent.place(jnp.asarray(e[2]))[0], atol=1e-12)
    block = np.asarray(bent.of_first(2).root)
    given = np.linalg.inv(np.linalg.inv(root @ root.T)[:2, :2])
    np.testing.assert_allclose((block @ block.T)[:2, :2], given, atol=1e-10)
    np.testing.assert_allclose(block[2:, 2:], np.eye(2))


def test_a_vector_is_that_of_its_sites():
    card = load_card("hierarchical", "test", MIRI)
    design = crowded_design(40)
    places = Coordinates.of(design, card)
    x = np.random.default_rng(2).normal(size=len(places))
    sites, precision = places.sites(x), places.colour_precision(x, design)
    assert len(places) == places.of_sites + len(design.stars)
    np.testing.assert_allclose(places.vector(sites, precision), x, atol=1e-9)


@pytest.mark.parametrize("far", [-9.0, 40.0])
def test_extreme_colour_precisions_come_back(far: float):
    card = load_card("hierarchical", "test", MIRI)
    design = crowded_design(40)
    places = Coordinates.of(design, card)
    x = np.zeros(len(places))
    x[-1] = far
    back = np.asarray(places.vector(places.sites(x), places.colour_precision(x, design)))
    assert back[-1] == pytest.approx(far, rel=1e-6)


def test_visits_are_chosen_by_doubt_and_not_for_rows_without_weight():
    """Of one row nothing can be confused with its visit's offset; padding rows are none."""
    visit, counts = np.array([0, 0, 1, 2, 2, 2]), np.array([1, 1, 1, 1, 0, 0], dtype=bool)
    mode: Any = SimpleNamespace(odds=np.array([0.0, -50.0, 9.0, -50.0, -50.0, -50.0]))
    np.testing.assert_allclose(walk._doubt_of_visits(visit, counts, mode), [1, 0, 0])
    of_all = walk._doubt_of_visits(visit, np.ones(6, dtype=bool), mode)
    np.testing.assert_allclose(of_all, np.array([0.52, 0, 0.02]) / 0.54, atol=1e-12)
