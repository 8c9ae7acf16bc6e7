"""Simulation-based calibration: ranks, their tests, studies stopped and taken up, the command."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from arviz_stats.ecdf_utils import get_pointwise_confidence_band, simulate_confidence_bands
from PIL import Image

from miri_facts import MIRI
from mirical.cards.card import load_card, parse_card
from mirical.cli import main
from mirical.errors import InputError
from mirical.inference.sampling import sample_prior
from mirical.jobs.inputs import resolve_job
from mirical.jobs.job import load_job
from mirical.jobs.sampler import Sampler
from mirical.validation import replicates as replicates_module
from mirical.validation import sbc
from mirical.validation.rank_file import RANKS, RankFile
from mirical.validation.ranked_quantities import tracked
from mirical.validation.ranks import (
    band,
    crossing_probability,
    p_values,
    points,
    rank_of,
    spread_ranks,
)
from mirical.validation.replicates import DISTORTIONS, Distortion, Replicate, Study
from simulated_outputs import silent
from small_card import CARD

SAMPLER = Sampler(chains=1, warmup=100, draws=50, seed=3)


@pytest.fixture(scope="module")
def design():
    return resolve_job(load_job("sbc")).design


def study(design, distortion: Distortion = DISTORTIONS[None]) -> Study:
    return Study(design, parse_card(CARD, "small", "small.toml", MIRI), SAMPLER, distortion)


def replicates(n: int, study: Study, shift: float = 0.0) -> dict[int, Replicate]:
    """Return sound replicates of a study with uniform ranks, shifted by a share of the draws."""
    random = np.random.default_rng(5)
    labels = tracked(study.design, study.card)
    made = {}
    for k in range(n):
        drawn = np.minimum(random.integers(0, 100, len(labels)) + int(100 * shift), 99).tolist()
        ranks = {label: (rank, 99) for label, rank in zip(labels, drawn, strict=True)}
        made[k] = Replicate(k, "", 400, 0, 1.0, 400.0, ranks)
    return made


class Fake:
    """Stands in for the refits: uniform ranks by the replicate's number."""

    def __init__(self, study: Study) -> None:
        self._made = replicates(12, study)

    def perform(self, number: int, stop: threading.Event) -> dict[str, Any]:
        return self._made[number].as_dict()


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(replicates_module, "Refitter", Fake)


def test_rank_counts_the_thinned_draws_below_the_truth():
    random = np.random.default_rng(0)
    draws = np.arange(101.0)
    assert rank_of(50.5, draws, 101, random) == (51, 101)
    assert rank_of(50.5, draws, 11, random) == (6, 11)
    assert rank_of(-1.0, draws, 11, random) == (0, 11)
    assert rank_of(200.0, draws, 11, random) == (11, 11)
    assert rank_of(50.5, draws, 0, random)[1] == 1


def test_ties_are_broken_evenly():
    random = np.random.default_rng(0)
    ranks = [rank_of(1.0, np.ones(3), 3, random)[0] for _ in range(400)]
    assert np.bincount(ranks) == pytest.approx(100, abs=40)


def test_ranks_among_few_draws_spread_over_their_interval():
    placed = spread_ranks(np.full(1000, 2), np.full(1000, 4), np.random.default_rng(0))
    assert 0.4 < placed.min() < 0.41 and 0.59 < placed.max() < 0.6


@pytest.mark.parametrize("n", [20, 100, 150])
def test_uniform_ranks_are_rejected_as_often_as_stated(n):
    """The p-values are exact but discrete; false alarm of this test below 1e-4."""
    p = p_values(np.random.default_rng(1).uniform(size=(2000, n)))
    for rate in (0.01, 0.1, 0.5):
        expected = 2000 * rate
        assert np.sum(p <= rate) < expected + 4 * np.sqrt(expected)
    assert np.mean(p <= 0.1) > 0.05


def test_a_sample_leaves_the_band_where_its_p_value_is_small():
    n, rate = 60, 0.05
    positions = np.random.default_rng(2).uniform(size=(500, n)) ** 1.3
    share = np.mean(positions[..., None] <= points(n), axis=1)
    lower, upper = band(n, rate)
    outside = np.any((share < lower - 1e-9) | (share > upper + 1e-9), axis=1)
    assert np.array_equal(outside, p_values(positions) <= rate)


def test_the_band_is_that_of_arviz():
    """Theirs is simulated, ours exact; both are discrete, so they may differ by one rank."""
    n, at = 80, points(80)
    random = np.random.default_rng(3)
    pointwise = simulate_confidence_bands(n, 1, at, 0.95, 4000, random)
    for ours, theirs in zip(
        band(n, 0.05), get_pointwise_confidence_band(pointwise, n, at), strict=True
    ):
        assert np.max(np.abs(ours - theirs)) <= 1.01 / n


def test_the_probability_of_crossing_is_that_of_simulated_ranks():
    positions = np.random.default_rng(4).uniform(size=(4000, 30))
    p = p_values(positions)
    levels = np.array([0.001, 0.01, 0.05])
    expected = crossing_probability(levels, 30)
    found = [np.mean(p <= e * (1 + 1e-9)) for e in expected]
    assert found == pytest.approx(expected, abs=0.02)


def test_uniform_ranks_pass_and_shifted_ones_fail(design, tmp_path):
    ranks = RankFile(tmp_path, study(design))
    ranks.replicates = replicates(100, study(design))
    assert sbc.assess(study(design), ranks, 100).passes
    ranks.replicates = replicates(100, study(design), shift=0.25)
    outcome = sbc.assess(study(design), ranks, 100)
    assert not outcome.passes and not np.any(outcome.table["passes"])


def test_failed_refits_are_counted_and_too_many_fail(design, tmp_path):
    ranks = RankFile(tmp_path, study(design))
    ranks.replicates = replicates(100, study(design))
    for k in range(6):
        ranks.replicates[k] = replace(ranks.replicates[k], problem="R-hat is 1.30")
    outcome = sbc.assess(study(design), ranks, 100)
    assert set(outcome.table["n"]) == {94} and len(outcome.failed) == 6
    assert np.all(outcome.table["passes"]) and not outcome.passes
    assert outcome.table.meta["failed"][0] == "0: R-hat is 1.30"


def calibrated(folder: Path, study: Study, n: int) -> list[Replicate]:
    """Add replicates to a folder's ranks, and return those that were run."""
    seen: list[Replicate] = []
    ranks = RankFile(folder, study)
    sbc.calibrate(study, n, ranks, seen.append)
    ranks.write()
    return seen


def test_a_study_taken_up_again_leaves_what_an_uninterrupted_one_does(design, tmp_path, fake):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    seen = [len(calibrated(folder, study(design), n)) for folder, n in ((whole, 9), (parts, 4))]
    assert len(RankFile(parts, study(design)).replicates) == 4
    assert [*seen, len(calibrated(parts, study(design), 9))] == [9, 4, 5]
    assert (parts / RANKS).read_bytes() == (whole / RANKS).read_bytes()
    outcomes = [sbc.assess(study(design), RankFile(f, study(design)), 9) for f in (whole, parts)]
    assert np.array_equal(*(outcome.table["p_value"] for outcome in outcomes))


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("seed", lambda s: replace(s, sampler=replace(SAMPLER, seed=4))),
        (
            "card",
            lambda s: replace(s, card=parse_card(CARD + "# changed", "small", "small.toml", MIRI)),
        ),
        ("design", lambda s: replace(s, design=replace(s.design, elapsed=s.design.elapsed + 1))),
        ("distortion", lambda s: replace(s, distortion=Distortion(scatter=1.5))),
        ("sampler", lambda s: replace(s, sampler=replace(SAMPLER, draws=60))),
    ],
)
def test_ranks_of_another_study_are_refused(what, change, design, tmp_path, fake):
    calibrated(tmp_path, study(design), 4)
    with pytest.raises(InputError, match=f"holds ranks of another {what}; remove it or choose"):
        RankFile(tmp_path, change(study(design)))


def test_the_rows_values_are_no_part_of_the_design(design, tmp_path, fake):
    calibrated(tmp_path, study(design), 4)
    other = replace(design, log_factor=design.log_factor + 1)
    assert len(RankFile(tmp_path, study(other)).replicates) == 4


def test_a_file_that_holds_no_ranks_is_refused(design, tmp_path):
    (tmp_path / RANKS).write_text("nonsense\n")
    with pytest.raises(InputError, match="cannot be read as ranks of an earlier run"):
        RankFile(tmp_path, study(design))


def test_impossible_settings_are_refused(design):
    with pytest.raises(InputError, match="--replicates is 1; expected 4 to 100000"):
        sbc.check_study(SAMPLER, 1)
    with pytest.raises(InputError, match="density is 'joint'; only 'collapsed'"):
        sbc.check_study(replace(SAMPLER, density="joint"), 100)


def test_a_dropped_term_is_drawn_but_neither_fitted_nor_ranked(design):
    card = load_card("hierarchical", "test", MIRI)
    fitted = DISTORTIONS["no-star-offset"].fitted(card)
    assert set(card.terms) - set(fitted.terms) == {"star_offset"}
    assert set(card.priors) - set(fitted.priors) == {"star_scale", "type_scale"}
    dropped = set(tracked(design, card)) - set(tracked(design, fitted))
    assert dropped == {f"star_offset[{star}]" for star in design.stars} | {
        "star_scale",
        "type_scale",
    }


def test_only_what_varies_is_ranked(design):
    labels = tracked(design, load_card("hierarchical", "test", MIRI))
    assert {label for label in labels if label.startswith("D[")} == {"D[SUB256]", "D[SUB64]"}
    assert "colour_tail" not in labels and "log_likelihood" in labels
    assert any(label.startswith("tau[") for label in labels)
    pooled = tracked(design, load_card("pooled", "test", MIRI))
    assert not any(label.startswith("tau") for label in pooled)
    independent = tracked(design, load_card("independent", "test", MIRI))
    ratios = {label: place for label, place in independent.items() if label.startswith("D")}
    index = design.bands.index("F770W"), design.subarrays.index("SUB64")
    assert ratios["D_band[F770W SUB64]"] == ("D_band", "D_band", index)
    assert not any(label.startswith("D[") for label in ratios)
    adopted = tracked(design, load_card("staged-like", "test", MIRI))
    assert not any(label.startswith("D") for label in adopted)


def test_refits_that_all_fail_are_no_verdict(design, tmp_path):
    ranks = RankFile(tmp_path, study(design))
    made = replicates(10, study(design))
    ranks.replicates = {k: replace(one, problem="R-hat is 2.00") for k, one in made.items()}
    with pytest.raises(InputError, match="0 of 10 refits may be believed, too few to test"):
        sbc.assess(study(design), ranks, 10)


def test_prior_draws_have_the_priors_widths_whatever_the_design(design):
    """Data-informed units must not reach the prior: 4000 draws, 4.5 standard errors."""
    card = study(design).card
    drawn = sample_prior(design, card, seed=1)
    limited = drawn["repeatability"]
    free = limited / np.sqrt(1 - (limited / card.fixed("repeatability_limit")) ** 2)
    departures = np.log(free / drawn["repeatability_median"][:, None])
    z = departures / drawn["repeatability_spread"][:, None]
    assert z.std() == pytest.approx(1.0, abs=4.5 / np.sqrt(2 * z.size))
    assert z.mean() == pytest.approx(0.0, abs=4.5 / np.sqrt(z.size))


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[list[str], Path, int]:
    """Return a small command, the folder it has filled and its exit status."""
    folder = tmp_path_factory.mktemp("sbc")
    (folder / "small.toml").write_text(CARD)
    command = ["sbc", "--model", str(folder / "small.toml"), "--replicates", "4"]
    command += ["--warmup", "100", "--draws", "50", "--out", str(folder / "out")]
    return command, folder / "out", main(command)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / RANKS).read_text().splitlines()]


def test_command_end_to_end(finished, capsys):
    command, folder, status = finished
    assert {path.name for path in folder.iterdir()} == {RANKS, "sbc.ecsv", "ranks.png"}
    assert silent(folder) == []
    with Image.open(folder / "ranks.png") as picture:
        assert {"card_name", "design", "seed", "mirical"} <= set(picture.text)
    assert [line.get("replicate", "header") for line in lines(folder)] == ["header", 0, 1, 2, 3]
    before = (folder / RANKS).read_bytes()
    assert main(command) == status  # nothing is left to refit
    printed = capsys.readouterr().out
    assert ("PASSES" if status == 0 else "FAILS") in printed and "4 refits" in printed
    assert (folder / RANKS).read_bytes() == before


def test_one_compiled_refit_serves_other_rows(finished):
    """Ln A differs by 1 between replicates, and the posterior's width is a thousandth of that.

    A start or a datum left over from another replicate would put the true A
    at the end of the ranks every time.
    """
    ranks = [line["ranks"] for line in lines(finished[1])[1:]]
    for band_name in ("F770W", "F1280W", "F2100W"):
        found = [rank / kept for rank, kept in (each[f"A[{band_name}]"] for each in ranks)]
        assert len(set(found)) > 1
        assert any(0 < place < 1 for place in found)


def test_command_refuses_the_folder_of_another_study(finished, capsys):
    command, _, _ = finished
    assert main([*command, "--seed", "1"]) == 2
    assert "holds ranks of another seed" in capsys.readouterr().err
    assert main([*command, "--distort", "scatter"]) == 2
    assert "holds ranks of another distortion" in capsys.readouterr().err
