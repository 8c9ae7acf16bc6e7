"""Simulation-based calibration of a model card.

Parameters and rows drawn from a model and the model fitted to those rows: the
true value of any quantity then ranks uniformly among the draws of its
posterior (Talts et al. 2018), for a right model and a right sampler. The log
likelihood of the rows, which depends on parameters and data at once, finds
errors that no parameter's ranks show (Modrák et al. 2023). True values drawn
from the prior tell whether the model is fitted rightly on average over it;
those drawn from a run's posterior, whether it is at that run's rows
(`mirical.validation.posterior_truths`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

import numpy as np
from astropy.table import Table

from mirical.errors import InputError
from mirical.inference.runtime import PACKAGES, configure
from mirical.jobs.sampler import Sampler
from mirical.many.running import run_here
from mirical.many.tasks import Recipe, Result, Runner, Task
from mirical.randomness import generator
from mirical.validation.rank_file import RankFile, header
from mirical.validation.ranked_quantities import tracked
from mirical.validation.ranks import band, p_values, points, spread_ranks
from mirical.validation.replicates import Replicate, Study, refitting

FALSE_ALARM = 0.01
"""Chance that a right model fails any of its rank tests (Bonferroni over the quantities)."""

FAILED_LIMIT = 0.05
"""Largest share of refits that may fail; ranks of failed ones are recorded, not tested."""

FAST_LIMIT = 0.25
"""The same of fast fits: where one says that it must not be trusted, chains take its place."""

FEWEST, MOST = 4, 100_000

Watch = Callable[[Replicate], None]


@dataclass(frozen=True)
class Outcome:
    """Result of a study.

    Attributes
    ----------
    table : Table
        One row a quantity: ``quantity``, ``group``, ``n``, ``p_value``,
        ``p_family`` (times the number of quantities), ``passes``, and the shares of true values
        inside the central 68 and 95 % intervals, ``covered_68`` and ``covered_95``.
    curves : Table
        Difference between the distribution of each quantity's ranks and the
        uniform one, with the simultaneous band: ``quantity``, ``rank``,
        ``difference``, ``lower``, ``upper``.
    failed : tuple of Replicate
        Refits that must not be believed.
    replicates : int
        Refits done, failed ones included.
    fast : bool
        Whether they were fast fits.
    """

    table: Table
    curves: Table
    failed: tuple[Replicate, ...]
    replicates: int
    fast: bool = False

    @property
    def failed_limit(self) -> float:
        """Largest share of refits that may fail."""
        return FAST_LIMIT if self.fast else FAILED_LIMIT

    @property
    def refits_do(self) -> bool:
        """Whether few enough refits failed."""
        return len(self.failed) <= self.failed_limit * self.replicates

    @property
    def passes(self) -> bool:
        """Whether every rank test is passed and few enough refits failed."""
        return bool(np.all(self.table["passes"])) and self.refits_do


def check_study(sampler: Sampler, replicates: int) -> None:
    """Refuse settings that calibration has no use for.

    Raises
    ------
    InputError
        If there are too few replicates, or the job states no number of draws or samples the
        joint density.
    """
    if not FEWEST <= replicates <= MOST:
        raise InputError(f"sbc: --replicates is {replicates}; expected {FEWEST} to {MOST}.")
    if sampler.draws is None:
        raise InputError(
            "sbc: the job states no number of draws; give --draws, such as 400, or a line 'draws' "
            "under [sampler] in the job file."
        )
    if sampler.density != "collapsed":
        raise InputError(
            f"sbc: sampler density is {sampler.density!r}; only 'collapsed' refits fast enough."
        )


def calibrate(
    study: Study, replicates: int, ranks: RankFile, watch: Watch, run: Runner = run_here
) -> None:
    """Run the replicates that `ranks` does not hold yet.

    Parameters
    ----------
    study : Study
        What is calibrated.
    replicates : int
        How many replicates there shall be in all.
    ranks : RankFile
        Where their ranks are collected.
    watch : callable
        Told of every replicate done.
    run : Runner
        Runs them.
    """
    recipe = Recipe(header(study), PACKAGES, partial(refitting, study), configure)
    missing = [k for k in range(replicates) if k not in ranks.replicates]

    def take(_: int, result: Result) -> None:
        done = Replicate(**result)
        ranks.replicates[done.replicate] = done
        watch(done)

    if missing:
        run([Task(recipe, k) for k in missing], take)


def assess(study: Study, ranks: RankFile, replicates: int) -> Outcome:
    """Test the ranks of the first `replicates` replicates for uniformity.

    Raises
    ------
    InputError
        If fewer than two refits may be believed.
    """
    done = [ranks.replicates[k] for k in sorted(ranks.replicates) if k < replicates]
    sound = [replicate for replicate in done if not replicate.problem]
    if len(sound) < 2:
        raise InputError(
            f"sbc: {len(sound)} of {len(done)} refits may be believed, too few to test; raise "
            "--replicates, --warmup or --draws."
        )
    places = tracked(study.design, study.distortion.fitted(study.card))
    found = np.array([[replicate.ranks[label] for replicate in sound] for label in places])
    random = generator(study.sampler.seed, "places of ranks")
    positions = spread_ranks(found[..., 0], found[..., 1], random)
    p = p_values(positions)
    table = Table({"quantity": list(places), "group": [group for group, _, _ in places.values()]})
    table["n"] = len(sound)
    for level in (68, 95):
        inside = np.abs(positions - 0.5) < level / 200
        table[f"covered_{level}"] = np.round(inside.mean(axis=1), 4)
    table["p_value"], table["p_family"] = p, np.minimum(p * len(places), 1.0)
    table["passes"] = table["p_family"] > FALSE_ALARM
    of = " of fast fits" if study.fast else ""
    at = "" if study.truths is None else ", true values from the posterior of a run's rows"
    table.meta |= {
        "title": f"SIMULATED: rank tests of a simulation-based calibration{of}{at}",
        "simulated": True,
        "false_alarm": FALSE_ALARM,
        "replicates": len(done),
        "failed": [f"{one.replicate}: {one.problem}" for one in done if one.problem],
        "card_name": study.card.name,
        **{name: version(name) for name in ("mirical", "jax", "numpyro")},
        **header(study),
    }
    failed = tuple(one for one in done if one.problem)
    return Outcome(table, _curves(table, positions), failed, len(done), study.fast)


def _curves(table: Table, positions: np.ndarray) -> Table:
    n = positions.shape[1]
    at = points(n)
    lower, upper = band(n, FALSE_ALARM / len(table))
    share = np.mean(positions[..., None] <= at, axis=1)
    return Table(
        {
            "quantity": np.repeat(table["quantity"], len(at)),
            "rank": np.tile(at, len(table)),
            "difference": (share - at).ravel(),
            "lower": np.tile(lower - at, len(table)),
            "upper": np.tile(upper - at, len(table)),
        }
    )
