"""Many fits of one design: a pilot's step size and metric change no posterior."""

from __future__ import annotations

import threading
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miri_facts import MIRI
from mirical.cards.card import load_card
from mirical.inference.gaussian_draws import Packing
from mirical.inference.refits import BURN_IN, Fit, Refits
from mirical.inference.sampling import BLOCK
from mirical.jobs.inputs import resolve_job
from mirical.jobs.job import load_job
from mirical.jobs.sampler import Sampler
from mirical.model.design import with_rows
from small_card import CARD

SAMPLER = Sampler(chains=1, warmup=100, draws=400, seed=3)


@pytest.fixture(scope="module")
def design():
    design = resolve_job(load_job("sbc")).design
    noise = np.random.default_rng(1).normal(0, 0.004, len(design.rows))
    return with_rows(design, -0.5 - 0.1 * design.band + noise)


@pytest.fixture(scope="module")
def refits(design) -> Refits:
    def values(sites, design):
        return jnp.concatenate([jnp.log(sites["A"]), jnp.log(sites["repeatability"])])

    return Refits(design, load_card("hierarchical", "test", MIRI), SAMPLER, values)


def as_it_is(_: int, found: Fit) -> Fit:
    return found


def fit(refits, design, key: int) -> Fit:
    found = refits.fit(jax.random.key(key), design, threading.Event())
    assert found is not None and not found.problem
    return found


def discarded(refits, design, key: int, monkeypatch) -> int:
    """Return how many steps a fit takes before the first it keeps."""
    blocks = []

    def counted(*arguments, advance=refits._advance):
        blocks.append(1)
        return advance(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(refits, "_advance", counted)
        kept = len(fit(refits, design, key).values)
    return BLOCK * len(blocks) - kept // refits._kernel.draws_per_step


def test_a_pilot_changes_no_posterior_and_a_bad_one_is_not_used(refits, design):
    """Means of six quantities within 4.5 of their Monte-Carlo errors, twice."""
    own = fit(refits, design, 1)
    assert refits._adapted is None
    refits.adapt(jax.random.key(2), design)
    piloted = fit(refits, design, 3)
    adapted = refits._adapted
    refits._adapted = adapted._replace(step_size=100 * adapted.step_size)
    rescued = fit(refits, design, 4)
    refits._adapted = adapted
    for other in (piloted, rescued):
        errors = [one.values.std(0) / np.sqrt(one.ess) for one in (own, other)]
        difference = own.values.mean(0) - other.values.mean(0)
        assert np.all(np.abs(difference) < 4.5 * np.hypot(*errors))


def test_a_pilot_spares_the_warm_up(refits, design, monkeypatch):
    monkeypatch.setattr(refits, "_adapted", None)
    assert discarded(refits, design, 8, monkeypatch) == SAMPLER.warmup
    refits.adapt(jax.random.key(2), design)
    assert discarded(refits, design, 8, monkeypatch) == BURN_IN


def test_all_are_fitted_by_number_whoever_ends_first(refits, design):
    shifted = [with_rows(design, design.log_factor + 0.1 * k) for k in range(3)]
    found = dict(refits.fit_all(jax.random.key(5), shifted, threading.Event(), as_it_is))
    level = [found[k].values[:, 0].mean() for k in range(3)]
    assert np.diff(level) == pytest.approx([0.1, 0.1], abs=0.05)


def test_a_stop_ends_all(refits, design):
    stop = threading.Event()
    stop.set()
    assert list(refits.fit_all(jax.random.key(6), [design, design], stop, as_it_is)) == []


def test_rows_of_another_design_are_refused(refits, design):
    other = replace(design, star=design.star[::-1].copy())
    with pytest.raises(ValueError, match="not those of the design"):
        refits.fit(jax.random.key(7), other, threading.Event())


def test_a_card_without_scalars_is_judged_by_its_repeatabilities(design, tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(CARD, encoding="utf-8")
    packing = Packing(design, load_card(str(path), "test", MIRI))
    of_bands = np.arange(len(design.bands)) + 1.0
    values = dict.fromkeys(packing._shapes, np.zeros(3)) | {"repeatability": of_bands}
    np.testing.assert_array_equal(packing.values(values, design)[: packing.judged], of_bands)
