"""Sampling of a posterior until its draws may be believed, or to a given length."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from mirical.cards.card import Card
from mirical.chains.convergence import Convergence, Places, diagnose, printed_places
from mirical.chains.running import Course, Progress, RunningChains
from mirical.chains.stopping import DISAGREE, FIRST, WARMUPS, Ending, growth, neediest, next_length
from mirical.inference.posterior import PRINTED, coordinates, named
from mirical.inference.runtime import random_key
from mirical.inference.sampling import flux_scale_draws
from mirical.inference.schema import DIMS, LEAST_DRAWS, Arrays
from mirical.jobs.inputs import most_draws
from mirical.jobs.sampler import Sampler
from mirical.model.design import Design

STATS = ("diverging", "energy", "lp", "n_steps", "acceptance_rate", "step_size")
"""Statistics of every draw."""


@dataclass(frozen=True)
class Chains:
    """What the sampler returns.

    Attributes
    ----------
    sites : dict of {str : (chain, draw, ...) array}
        Every sample and deterministic site of the model, ``B`` and ``C_ref``.
    stats : dict of {str : (chain, draw) array}
        `STATS`.
    ending : Ending
        Why there are not more.
    found : Convergence or None
        Diagnostics of all reported quantities, if the last look was at all of them.
    """

    sites: Arrays
    stats: Arrays
    ending: Ending
    found: Convergence | None = None


class OutOfTimeError(Exception):
    """Time ended before the chains had drawn anything."""


def sample(
    design: Design,
    card: Card,
    sampler: Sampler,
    reference_mjd: float | None = None,
    course: Course | None = None,
) -> Chains:
    """Draw from the posterior.

    Parameters
    ----------
    design, card : Design, Card
        Rows and model.
    sampler : Sampler
        How many draws, or what they shall tell.
    reference_mjd : float, optional
        Epoch of ``C_ref``, MJD in days; by default the design's.
    course : Course, optional
        Who watches, where the chains go on from and are kept, and when they stop with what there
        is. The draws are those of an unbroken run.

    Raises
    ------
    InputError
        If the sampler cannot start because the posterior is not finite anywhere near the data.
    KeyboardInterrupt
        If interrupted; what was drawn is kept.
    OutOfTimeError
        If time ends before every chain has drawn `LEAST_DRAWS`.
    """
    mjd = design.reference_mjd if reference_mjd is None else reference_mjd
    course = course or Course()
    chains = RunningChains(design, card, sampler, mjd, course)
    if sampler.draws is not None:
        length = sampler.draws
        in_time = chains.run_to(length)
        ending, found = Ending("draws" if in_time else "time", 0, 0), None
    else:
        length, ending, found = _until_believed(chains, design, sampler, course.watch)
    if ending.why == "time":
        length = min(chains.length, length)
        if length < LEAST_DRAWS:
            raise OutOfTimeError
    chains.keep()
    taken = chains.taken(length)
    stats = {name: taken.pop(name) for name in STATS}
    shape = stats["diverging"].shape
    taken |= flux_scale_draws(card, random_key(sampler.seed, "flux scale"), shape)
    return Chains(taken, stats, ending, found)


def _until_believed(
    chains: RunningChains, design: Design, sampler: Sampler, progress: Progress
) -> tuple[int, Ending, Convergence | None]:
    """Let the chains grow from look to look; return their length, how they ended, what they are."""
    most, watched = most_draws(sampler, design), None
    looks = chains.warmups  # one before every repeated warm-up, made before an interrupt or now
    first = length = min(FIRST, most)
    while chains.run_to(length):
        looks += 1
        if length == first and chains.warmups < WARMUPS - 1 and _disagree(chains, length, design):
            chains.warm_up_again()
            continue
        found, factors, watched = _look(chains, length, design, sampler, watched)
        factor = float(factors.max(initial=0.0))
        if factor <= 1:
            return length, Ending("targets", looks, chains.warmups), found
        if length >= most:
            bound = "max_draws" if most == sampler.max_draws else "memory"
            return length, Ending(bound, looks, chains.warmups), None
        wanted = min(length * factor, most)
        least, of = found.smallest(found.bulk)
        progress.looked(
            chains.steps_for(math.ceil(wanted)),
            f"{length} draws a chain: fewest effective draws {least:.0f} of "
            f"{sampler.target_ess} wanted ({of}); about {wanted:.0f} draws a chain are needed",
        )
        length = next_length(length, factor, most)
    return length, Ending("time", looks, chains.warmups), None


def _disagree(chains: RunningChains, length: int, design: Design) -> bool:
    """Return whether the chains have not met: scales and what bands have are looked at."""
    drawn = _dataset(chains.drawn(length), design)
    few = [name for name, one in drawn.data_vars.items() if set(one.dims[2:]) <= {"band"}]
    found = diagnose(drawn[few], {})
    return not found.largest(found.rhat)[0] <= DISAGREE


def _look(
    chains: RunningChains, length: int, design: Design, sampler: Sampler, watched: Places | None
) -> tuple[Convergence, Any, Places | None]:
    """Return diagnostics, by how much each asks the chains to grow, and what to look at first.

    All reported quantities are looked at only once those that were the neediest have enough.
    """
    names = [name for name in DIMS if name in named(chains.drawn(LEAST_DRAWS))]
    for only in (_of_bands(names, design) if watched is None else watched, None):
        looked_at = names if only is None else [name for name in names if name in only]
        drawn = _dataset(chains.drawn(length, looked_at), design)
        printed = printed_places(drawn, PRINTED)
        found = diagnose(drawn, printed, only)
        factors = growth(found, sampler)
        if factors.max(initial=0.0) > 1:
            break
    return found, factors, neediest(found, factors) if only is None else watched


def _of_bands(names: Sequence[str], design: Design) -> dict[str, Any]:
    """Return all quantities that bands have one of."""
    return {name: np.arange(len(design.bands)) for name in names if DIMS[name] == ["band"]}


def _dataset(drawn: Mapping[str, Any] | Arrays, design: Design) -> xr.Dataset:
    """Return reported quantities, and scalars, with their dims."""
    variables = {
        name: (("chain", "draw", *DIMS.get(name, ())), values)
        for name, values in drawn.items()
        if name in DIMS or (values.ndim == 2 and name not in STATS)
    }
    return xr.Dataset(variables, coords=coordinates(design))
