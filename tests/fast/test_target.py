"""The compiled density of fast fits: it is the sampler's, with right derivatives and odds."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.infer.util import potential_energy

from designs import crowded_design
from miri_facts import MIRI
from mirical.cards.card import load_card
from mirical.fast.coordinates import Coordinates
from mirical.fast.proposal import Proposal
from mirical.fast.rounds import JUMPING, Points, Rounds
from mirical.fast.target import Others, Target
from mirical.model.collapsed import collapsed
from mirical.model.design import Design
from mirical.model.nesting import make_blocks, plain_rows, roomy_rows
from mirical.model.terms import colour_correlation
from mirical.moves.outliers import flip_log_odds

CARD = load_card("hierarchical", "test", MIRI)
DESIGN = crowded_design(40)
BLOCKS = make_blocks(DESIGN, colour_correlation(DESIGN, CARD))
ROUNDS = 2000
SOME = crowded_design(37)  # tables with room have more rows
OUTLIER = (np.arange(40) % 11 == 0).astype(float)
WRONG = OUTLIER[: len(SOME.rows)]


@pytest.fixture(scope="module")
def target() -> Target:
    target = Target(DESIGN, BLOCKS, CARD)
    target.compile()
    return target


@pytest.fixture(scope="module")
def points(target: Target) -> np.ndarray:
    return 0.3 * np.random.default_rng(5).normal(size=(3, len(target.coordinates)))


def plain(target: Target) -> Proposal:
    number = len(target.coordinates)
    return Proposal.normal(np.zeros(number), np.eye(number))


def test_the_density_is_that_of_the_sampler(target: Target, points: np.ndarray):
    found = target.at(points, OUTLIER, plain(target), target.nothing)
    places = target.coordinates
    for x, density in zip(points, found.density, strict=True):
        precision = places.colour_precision(x, DESIGN)
        arguments = (DESIGN, BLOCKS, OUTLIER, precision)
        of_sampler = -potential_energy(
            lambda *a: collapsed(*a, card=CARD), arguments, {}, places.sites(x)
        )
        jacobian = jax.jacobian(lambda x: places.colour_precision(x, DESIGN))(jnp.asarray(x))
        own = jacobian[:, -len(DESIGN.stars) :]
        volume = np.sum(np.log(np.diagonal(np.asarray(own))))
        assert density == pytest.approx(float(of_sampler) + volume, abs=1e-8)


def test_slopes_are_those_of_differences(target: Target, points: np.ndarray):
    number, step = len(target.coordinates), 1e-5
    random = np.random.default_rng(6)
    bent = Proposal(
        points[1], 0.1 * np.eye(number), 0.2 * random.normal(size=number), np.full(number, 0.1)
    )
    steps = step * np.eye(number)
    for weight in (0.0, 1.0):  # indicators as given, and summed over
        others = Others(np.full(40, 0.01), np.full(40, 1e-4), np.array(weight))
        here = target.at(points[:1], OUTLIER, bent, others)
        up, down = (target.at(points[0] + s * steps, OUTLIER, bent, others) for s in (1, -1))
        high, low = (np.asarray(f.density) + weight * np.asarray(f.others) for f in (up, down))
        np.testing.assert_allclose(here.slope[0], (high - low) / (2 * step), rtol=1e-4, atol=1e-4)


def test_odds_are_those_of_single_flips(target: Target, points: np.ndarray):
    found = target.at(points, OUTLIER, plain(target), target.nothing)
    known = target.coordinates.known(points[0], target.data)
    flips = np.asarray(flip_log_odds(DESIGN, BLOCKS, known, OUTLIER))
    np.testing.assert_allclose(found.odds[0], np.where(OUTLIER > 0, -flips, flips), atol=1e-6)
    for row in (0, 3):  # one outlier, one sound
        other = OUTLIER.copy()
        other[row] = 1 - other[row]
        flipped = target.at(points[:1], other, plain(target), target.nothing)
        gained = flipped.density[0] - found.density[0]
        assert gained == pytest.approx(flips[row], abs=1e-6)


def test_what_stands_beside_bent_numbers_is_their_volume():
    number = 4
    random = np.random.default_rng(1)
    root = np.tril(random.normal(size=(number, number))) + 3 * np.eye(number)
    bent = Proposal(random.normal(size=number), root, np.array([0.5, -0.4, 0.0, 0.3]),
                    np.array([0.2, 0.0, -0.1, 0.1]))  # fmt: skip
    e = jnp.asarray(random.normal(size=number))
    jacobian = np.asarray(jax.jacobian(lambda e: bent.place(e)[0])(e))
    volume = np.linalg.slogdet(jacobian)[1] - np.linalg.slogdet(root)[1]
    assert float(bent.place(e)[1]) == pytest.approx(volume, abs=1e-10)


def test_rows_that_only_fill_up_say_nothing(points: np.ndarray):
    target = Target(SOME, make_blocks(SOME, colour_correlation(SOME, CARD)), CARD)
    target.compile()
    rows = roomy_rows(SOME, colour_correlation(SOME, CARD))
    more = len(rows.design.rows) - len(SOME.rows)
    assert more > 0
    roomy = Target(*rows, CARD)
    roomy.compile()
    outlier = np.pad(WRONG, (0, more))
    for weight in (0.0, 1.0):
        others = Others(
            np.full(len(SOME.rows), 0.01), np.full(len(SOME.rows), 1e-4), np.array(weight)
        )
        filled = Others(
            np.full(len(SOME.rows) + more, 0.01),
            np.full(len(SOME.rows) + more, 1e-4),
            np.array(weight),
        )
        one = target.at(points, WRONG, plain(target), others)
        two = roomy.at(points, outlier, plain(target), filled)
        # Each adds the density of its own error without bound, the same everywhere.
        np.testing.assert_allclose(np.diff(two.density), np.diff(one.density), atol=1e-8)
        np.testing.assert_allclose(two.others, one.others, atol=1e-10)
        np.testing.assert_allclose(two.slope, one.slope, atol=1e-8)
        np.testing.assert_allclose(two.odds[:, : len(SOME.rows)], one.odds, atol=1e-7)
        assert np.all(two.odds[:, len(SOME.rows) :] == -np.inf)


def _scatter(sites: dict, design: Design) -> Any:
    return sites["repeatability"]


def test_a_round_of_rows_with_room_is_that_of_the_rows(points: np.ndarray):
    """From one point, means of what a round moves: four errors (one seed in 200 fails)."""
    correlation = colour_correlation(SOME, CARD)
    places = Coordinates.of(SOME, CARD)
    stars = np.arange(min(JUMPING, len(SOME.stars)), dtype=np.int32)
    means = []
    for rows, roomy in ((plain_rows(SOME, correlation), False),
                        (roomy_rows(SOME, correlation), True)):  # fmt: skip
        rounds = Rounds(rows, CARD, places, _scatter, roomy=roomy)
        rounds.compile()
        outlier = np.zeros((ROUNDS, len(rows.design.rows)))
        start = Points(np.repeat(points[:1], ROUNDS, axis=0), outlier)
        made = rounds.go(start, stars, np.random.default_rng(3))
        assert np.all(made.points.outlier[:, len(SOME.rows) :] == 0)
        wanted = np.concatenate([made.points.x, made.points.outlier[:, : len(SOME.rows)]], axis=1)
        means.append((wanted.mean(0), wanted.std(0) / np.sqrt(ROUNDS)))
    (one, error), (two, other) = means
    assert np.all(np.abs(one - two) < 4 * np.hypot(error, other) + 4 / ROUNDS)
