"""Stopping rule of chains: how many draws they need until they may be believed.

Chains are judged at looks, all at the same length, by the draws alone. What is asked is how
precisely the draws tell each quantity (effective draws, agreement of the chains, Monte-Carlo
errors), never what they tell of it: the bias that stopping adds is of the order of one over the
number of draws, far below the Monte-Carlo error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mirical.chains.convergence import (
    MEAN_NOISE_LIMIT,
    RHAT_LIMIT,
    Convergence,
    Floats,
    Places,
    error_noise_limit,
)
from mirical.jobs.sampler import Sampler

FIRST = 400
"""Draws of a chain at the first look."""

DISAGREE = 1.1
"""R-hat at the first look above which warm-up is repeated: the chains have not met yet."""

WARMUPS = 4
"""Times that chains are warmed up at most."""

_MARGIN, _MOST = 1.1, 2.0  # of the growth from look to look: the needed one is an estimate
_WATCHED = 20


@dataclass(frozen=True)
class Ending:
    """How sampling came to its end.

    Attributes
    ----------
    why : str
        The targets were met; the asked number of draws was made; the bound on draws, the memory
        or the time allows no more.
    looks : int
        How often the chains were judged on the way.
    repeats : int
        How often their warm-up was repeated.
    """

    why: Literal["targets", "draws", "max_draws", "memory", "time"]
    looks: int
    repeats: int


def growth(found: Convergence, sampler: Sampler) -> Floats:
    """Return by which factor the number of draws must grow for each quantity, at most 1 if done.

    Effective draws grow with the number of draws, R-hat - 1 falls with it, and Monte-Carlo errors
    with its square root.
    """
    with np.errstate(divide="ignore"):
        factors = (
            (found.rhat - 1) / (RHAT_LIMIT - 1),
            sampler.target_ess / found.bulk,
            sampler.target_ess_tail / found.tail,
            (found.error / error_noise_limit(sampler.target_ess)) ** 2,
            (found.mean / MEAN_NOISE_LIMIT) ** 2,
        )
    return np.max([np.where(np.isfinite(one), one, np.inf) for one in factors], axis=0)


def next_length(length: int, factor: float, most: int) -> int:
    """Return the draws of a chain at the next look, if their number must grow by a factor."""
    return min(math.ceil(length * min(_MARGIN * max(factor, 1.0), _MOST)), most)


def neediest(found: Convergence, factors: Floats) -> Places:
    """Return the quantities that need the most draws: they are looked at first from then on."""
    chosen: dict[str, list[int]] = {}
    for number in np.argsort(-factors, kind="stable")[:_WATCHED]:
        name, place = found.places[number]
        chosen.setdefault(name, []).append(place)
    return {name: np.array(sorted(places)) for name, places in chosen.items()}


def rule_sentences(sampler: Sampler, ending: Ending) -> tuple[str, ...]:
    """Return in words when the chains were stopped, and what that does to the result."""
    if sampler.draws is not None:
        return (f"Each chain was asked for {sampler.draws} draws, whatever they tell.",)
    repeated = {0: "was not repeated", 1: "was repeated once"}
    warmup = repeated.get(ending.repeats, f"was repeated {ending.repeats} times")
    noise = error_noise_limit(sampler.target_ess)
    looks = "once" if ending.looks == 1 else f"{ending.looks} times"
    return (
        f"Draws were made until every reported quantity had {sampler.target_ess} effective draws "
        f"(bulk; tail {sampler.target_ess_tail}) and R-hat of at most {RHAT_LIMIT}, and the "
        f"Monte-Carlo error of every printed error and mean was at most "
        f"{100 * noise:.1f} % and {100 * MEAN_NOISE_LIMIT:.1f} % of the error, or for "
        f"{sampler.max_draws} draws a chain at most.",
        f"The chains were judged {looks}, first after {FIRST} draws each; their warm-up {warmup}.",
        "Whether to stop is decided by how precisely the draws tell each quantity, not by its "
        "values, so the bias of stopping is of the order of one over the number of draws.",
    )
