"""Schema of draws: chains in memory, and the variables of a run's posterior with their dims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
"""Draws by variable or sample site."""


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


@dataclass(frozen=True)
class Chains:
    """What the sampler returns.

    Attributes
    ----------
    sites : dict of {str : (chain, draw, ...) array}
        Every sample and deterministic site of the model, ``B`` and ``C_ref``.
    stats : dict of {str : (chain, draw) array}
        ``diverging``, ``energy``, ``lp``, ``n_steps``, ``acceptance_rate``, ``step_size``.
    ending : Ending
        Why there are not more.
    """

    sites: Arrays
    stats: Arrays
    ending: Ending


DIMS: dict[str, list[str]] = {
    "A": ["band"],
    "B": ["band"],
    "tau": ["band"],
    "loss": ["band"],
    "loss_per_year": ["band"],
    "C_ref": ["band"],
    "D": ["subarray"],
    "D_band": ["band", "subarray"],
    "star_offset": ["star"],
    "star_band_offset": ["star", "band"],
    "type_offset": ["srctype"],
    "visit_offset": ["visit"],
    "repeatability": ["band"],
}
"""Variables of the posterior with named dims, those of its time law among them; the card's scales
are scalars beside them."""

POSITIVE = ("A", "tau", "C_ref", "D", "D_band", "repeatability")
"""Variables that are positive in every draw."""

NEEDED = ("A", "B", "tau", "D", "D_band", "repeatability")
"""Variables that every answer of a run rests on, beside those of its time law."""

SAMPLE = ("chain", "draw")
"""First dims of every variable of the posterior."""

LEAST_DRAWS = 4
"""Draws a chain that a job can ask for at least: fewer are no posterior."""
