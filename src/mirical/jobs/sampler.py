"""Settings of the sampler, and their limits."""

from __future__ import annotations

from dataclasses import dataclass, fields

from mirical.errors import InputError, refuse_unknown_keys, shown


@dataclass(frozen=True)
class Sampler:
    """Settings of the sampler.

    Attributes
    ----------
    chains, warmup : int
        Number of chains, and of warm-up steps in each.
    draws : int or None
        Draws kept of each chain; None to draw until the targets are met.
    target_ess, target_ess_tail : int
        Effective draws, bulk and tail, that every reported quantity must have.
    max_draws : int
        Draws of a chain at which a run without `draws` ends, targets met or not.
    seed : int
        Fixes every random number of the job.
    target_accept : float
        Acceptance the step size is adapted to; nearer 1 is slower and safer.
    density : str
        ``"collapsed"`` (fast) or ``"joint"`` (the readable definition): two
        implementations of the same model.
    """

    chains: int = 4
    warmup: int = 500
    draws: int | None = None
    target_ess: int = 1000
    target_ess_tail: int = 400
    max_draws: int = 20000
    seed: int = 59720
    target_accept: float = 0.9
    density: str = "collapsed"

    @property
    def most_draws(self) -> int:
        """Draws of a chain at most."""
        return self.max_draws if self.draws is None else self.draws


DENSITIES = ("collapsed", "joint")
_SEEDS = 2**32
_AT_LEAST = {
    "chains": 1,
    "warmup": 100,
    "draws": 4,
    "target_ess": 100,
    "target_ess_tail": 100,
    "max_draws": 4,
    "seed": 0,
}
_AT_MOST = dict.fromkeys(_AT_LEAST, 10**6) | {"chains": 1000, "seed": _SEEDS - 1}


def read_sampler(content: object, where: str) -> Sampler:
    """Return the settings that a job's table `sampler` states.

    Raises
    ------
    InputError
        If a key is unknown, or a value is none that it may have; `where` says of which file.
    """
    if not isinstance(content, dict):
        raise InputError(f"{where}: sampler is {shown(content)}; expected a table.")
    refuse_unknown_keys(f"{where}: sampler", content, [f.name for f in fields(Sampler)])
    for key, least in _AT_LEAST.items():
        value = content.get(key, least)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(
                f"{where}: sampler {key} is {shown(value)}; expected a whole number >= {least}."
            )
        if value > _AT_MOST[key]:
            raise InputError(
                f"{where}: sampler {key} is {shown(value)}; expected a whole number up to "
                f"{_AT_MOST[key]}."
            )
    accept = content.get("target_accept", 0.9)
    if not isinstance(accept, float) or not 0.5 <= accept < 1:
        raise InputError(f"{where}: sampler target_accept is {shown(accept)}; expected 0.5 to 1.")
    density = content.get("density", DENSITIES[0])
    if density not in DENSITIES:
        raise InputError(
            f"{where}: sampler density is {shown(density)}; expected one of {', '.join(DENSITIES)}."
        )
    return Sampler(**content)
