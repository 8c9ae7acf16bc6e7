"""Rows that no prior allows: stars that disagree in a band are named before anything is sampled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mirical.chains.verdict import blame_rows
from mirical.inference.disagreements import Disagreement, disagreements
from mirical.inference.sampling import sample_prior
from mirical.jobs.inputs import resolve_job
from mirical.jobs.job import load_job
from verdict import VERDICT


@pytest.fixture(scope="module")
def table5():
    """Return the design of the paper's printed rows and prior draws of its sites."""
    inputs = resolve_job(load_job("table5"))
    return inputs.design, sample_prior(inputs.design, inputs.card, seed=1)


def scaled(design, star: str, factor: float):
    """Return the design with one star's rows giving a factor so many times as large."""
    mine = np.asarray(design.star) == design.stars.index(star)
    return replace(design, log_factor=design.log_factor + np.log(factor) * mine)


def test_the_papers_rows_do_not_disagree_nor_do_those_of_a_debris_disk(table5):
    design, prior = table5
    assert disagreements(design, prior) == []
    assert disagreements(scaled(design, "16 Cyg B", 1.25), prior) == []


def test_a_slip_of_unit_or_aperture_is_told_with_stars_bands_and_ratio(table5):
    design, prior = table5
    (found,) = disagreements(scaled(design, "16 Cyg B", 7.0), prior)
    # F1130W, F1280W and F1500W are the bands it shares with two other stars.
    assert found.star == "16 Cyg B" and found.bands == ("F1130W", "F1280W", "F1500W")
    assert found.ratio == pytest.approx(7.0, rel=0.1) and 1.5 <= found.allowed < 3
    sentence = found.sentence()
    assert sentence.startswith("the rows of '16 Cyg B' imply a factor ")
    assert (
        "times that of the other stars in F1130W, F1280W, F1500W; the card's priors allow"
        in sentence
    )
    assert "count rates in another unit or aperture" in sentence


def scaled_in(design, band: str, star: str, factor: float):
    """Return the design with one star's rows in one band giving a factor so many times as large."""
    there = np.asarray(design.band) == design.bands.index(band)
    mine = (np.asarray(design.star) == design.stars.index(star)) & there
    return replace(design, log_factor=design.log_factor + np.log(factor) * mine)


def test_the_ratio_is_to_the_median_of_the_others_where_it_is_largest(table5):
    design, prior = table5
    wrong = scaled_in(scaled_in(design, "F1130W", "16 Cyg B", 7.0), "F1500W", "16 Cyg B", 20.0)
    (found,) = disagreements(wrong, prior)
    assert found.bands == ("F1130W", "F1500W")
    rows = np.asarray(wrong.band) == wrong.bands.index("F1500W")
    rows &= np.asarray(wrong.log_factor_unc) < 1
    stars, factors = np.asarray(wrong.star)[rows], np.asarray(wrong.log_factor)[rows]
    levels = {wrong.stars[s]: np.median(factors[stars == s]) for s in set(stars.tolist())}
    mine = levels.pop("16 Cyg B")
    assert found.ratio == pytest.approx(np.exp(mine - np.median(list(levels.values()))), rel=1e-9)


def test_the_worst_is_told_first(table5):
    design, prior = table5
    wrong = scaled_in(scaled_in(design, "F1130W", "16 Cyg B", 7.0), "F1500W", "G 191-B2B", 20.0)
    assert [one.star for one in disagreements(wrong, prior)] == ["G 191-B2B", "16 Cyg B"]


def test_what_is_allowed_is_what_999_of_1000_prior_draws_stay_below(table5):
    design, _ = table5
    mine = np.asarray(design.star) == design.stars.index("16 Cyg B")
    prior = {"expected": np.linspace(0, 1, 1001)[:, None] * mine}
    (found,) = disagreements(scaled(design, "16 Cyg B", 7.0), prior)
    assert found.allowed == pytest.approx(np.exp(0.999), rel=1e-9)


def test_rows_that_are_left_out_disagree_with_nobody(table5):
    design, prior = table5
    mine = np.asarray(design.star) == design.stars.index("16 Cyg B")
    unc = np.where(mine, 100.0, np.asarray(design.log_factor_unc))
    left = replace(scaled(design, "16 Cyg B", 7.0), log_factor_unc=unc)
    assert disagreements(left, prior) == []


def test_two_stars_alone_are_both_named(table5):
    design, prior = table5
    mine = np.asarray(design.star) == design.stars.index("G 191-B2B")
    unc = np.where(mine, 100.0, np.asarray(design.log_factor_unc))
    pair = replace(scaled(design, "16 Cyg B", 1 / 7.0), log_factor_unc=unc)
    (found,) = disagreements(pair, prior)
    assert (found.star, found.others) == ("2MASS J17430448+6655015", "'16 Cyg B'")
    assert found.ratio == pytest.approx(7.0, rel=0.1)


def test_a_verdict_names_the_rows_and_not_longer_chains():
    verdict = VERDICT
    told = Disagreement("a", "'b'", ("F770W",), 7.0, 1.5).sentence()
    kept = blame_rows(verdict, [told])
    assert kept.believable and kept.sentences == (*verdict.sentences, f"T{told[1:]}")
    failed = replace(verdict, believable=False, sentences=("double --warmup",), worst_rhat=1.53)
    blamed = blame_rows(failed, [told])
    assert not blamed.believable and blamed.sentences[0] == f"T{told[1:]}"
    assert "R-hat of A[F560W] is 1.530" in blamed.sentences[1]
    assert not any("--warmup" in sentence for sentence in blamed.sentences)
    assert blame_rows(failed, []) is failed
