"""Verdict on a posterior: whether it may be believed, and what to do if not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import xarray as xr
from arviz_stats.base.array import array_stats

from mirical.chains.convergence import (
    BFMI_LIMIT,
    MEAN_NOISE_LIMIT,
    RHAT_LIMIT,
    Convergence,
    diagnose,
    error_noise_limit,
    printed_places,
)
from mirical.chains.stopping import Ending, rule_sentences
from mirical.errors import InputError
from mirical.jobs.sampler import Sampler

CHAINS = "chains"

_REMEDIES = {
    "draws": "raise --draws by a factor {:.1f}",
    "max_draws": "raise --max-draws by a factor {:.1f}",
    "memory": "{:.1f} times as many are needed, and this machine's memory holds no more: use "
    "one with more",
    "time": "raise --time-limit: {:.1f} times as many are needed",
}
_REMEDIES["targets"] = _REMEDIES["draws"]


@dataclass(frozen=True)
class Verdict:
    """Whether a posterior may be believed, and what to do if not.

    Attributes
    ----------
    believable : bool
        Whether every check passed.
    sentences : tuple of str
        One sentence a failed check, each ending in a remedy; or the one that says all is well.
    worst_rhat, min_ess_bulk, min_ess_tail, min_bfmi : float
        The extremes over all reported quantities (energies: over chains).
    worst_rhat_of, min_ess_bulk_of, min_ess_tail_of : str
        Which quantity each belongs to.
    divergences, draws, chains : int
        Counts after warm-up; draws per chain.
    mean_steps : float
        Mean number of leapfrog steps a trajectory.
    error_noise, mean_noise : float
        Largest Monte-Carlo error of a printed error and of a printed mean, in units of the error.
    error_noise_of, mean_noise_of : str
        Which quantity each belongs to.
    target_ess, target_ess_tail : int
        Effective draws that were asked for.
    stopping : tuple of str
        When the chains were stopped, in words.
    method : str
        How the draws were made: `CHAINS`, or else by weights. Of weighted ones there are no
        energies, divergences or steps, and R-hat is of the parts they are stored in.
    pareto_k, pareto_k_limit, effective_draws : float or None
        Of weights: shape of their tail and the largest it may have, and how many independent
        draws they leave; None of chains.
    """

    believable: bool
    sentences: tuple[str, ...]
    worst_rhat: float
    worst_rhat_of: str
    min_ess_bulk: float
    min_ess_bulk_of: str
    min_ess_tail: float
    min_ess_tail_of: str
    min_bfmi: float | None
    divergences: int
    draws: int
    chains: int
    mean_steps: float
    error_noise: float
    error_noise_of: str
    mean_noise: float
    mean_noise_of: str
    target_ess: int
    target_ess_tail: int
    stopping: tuple[str, ...]
    method: str = CHAINS
    pareto_k: float | None = None
    pareto_k_limit: float | None = None
    effective_draws: float | None = None

    @property
    def weighted(self) -> bool:
        """Whether the draws are not of chains but stand for weighted ones."""
        return self.method != CHAINS

    @classmethod
    def of(cls, found: Mapping[str, Any], where: str) -> Verdict:
        """Return the verdict of a record that `as_dict` made, as a run's folder keeps it.

        Parameters
        ----------
        found : mapping of {str : value}
            The record; what else it holds is left out.
        where : str
            Begins the sentence.

        Raises
        ------
        InputError
            If it lacks a part of a verdict.
        """
        needed = [one.name for one in fields(cls) if one.default is MISSING]
        lost = [name for name in needed if name not in found]
        if lost:
            raise InputError(
                f"{where}: has no {lost[0]!r}, so it is no verdict; run the job again."
            )
        stated: dict[str, Any] = {
            one.name: found[one.name] for one in fields(cls) if one.name in found
        }
        for name in ("sentences", "stopping"):
            stated[name] = tuple(map(str, found[name]))
        return cls(**stated)

    def as_dict(self) -> dict[str, Any]:
        """Return the record as plain types for JSON."""
        return asdict(self)


def judge(
    posterior: xr.DataTree,
    quantities: Iterable[str],
    printed: Iterable[str],
    sampler: Sampler,
    ending: Ending,
    found: Convergence | None = None,
) -> Verdict:
    """Return the verdict over the reported quantities of a posterior.

    Parameters
    ----------
    posterior : DataTree
        With groups ``posterior`` and ``sample_stats``.
    quantities : iterable of str
        Variables of ``posterior`` whose chains must agree.
    printed : iterable of str
        Those of them that tables print with an error.
    sampler : Sampler
        The effective draws asked for.
    ending : Ending
        How sampling came to its end.
    found : Convergence, optional
        The diagnostics of these very quantities, if they were found before.
    """
    drawn = posterior["posterior"].to_dataset()[list(quantities)]
    found = found or diagnose(drawn, printed_places(drawn, printed))
    extremes = {
        "rhat": found.largest(found.rhat),
        "bulk": found.smallest(found.bulk),
        "tail": found.smallest(found.tail),
        "error": found.largest(found.error),
        "mean": found.largest(found.mean),
    }
    stats = posterior["sample_stats"].to_dataset()
    divergences = int(stats["diverging"].sum())
    bfmi = min(_bfmi(energy) for energy in stats["energy"].values)
    failed = tuple(_failures(extremes, divergences, bfmi, sampler, _REMEDIES[ending.why]))
    return Verdict(
        believable=not failed,
        sentences=failed or ("The chains agree and the draws may be used.",),
        worst_rhat=extremes["rhat"][0],
        worst_rhat_of=extremes["rhat"][1],
        min_ess_bulk=extremes["bulk"][0],
        min_ess_bulk_of=extremes["bulk"][1],
        min_ess_tail=extremes["tail"][0],
        min_ess_tail_of=extremes["tail"][1],
        min_bfmi=bfmi,
        divergences=divergences,
        draws=drawn.sizes["draw"],
        chains=drawn.sizes["chain"],
        mean_steps=float(stats["n_steps"].mean()),
        error_noise=extremes["error"][0],
        error_noise_of=extremes["error"][1],
        mean_noise=extremes["mean"][0],
        mean_noise_of=extremes["mean"][1],
        target_ess=sampler.target_ess,
        target_ess_tail=sampler.target_ess_tail,
        stopping=rule_sentences(sampler, ending),
    )


def _bfmi(energy: np.ndarray) -> float:
    """Return the E-BFMI of one chain; all draws of one step of the sampler share its energy."""
    of_steps = energy[np.append(True, np.diff(energy) != 0)]
    return float(np.squeeze(array_stats.bfmi(of_steps[None])))


def blame_rows(verdict: Verdict, disagreeing: Sequence[str]) -> Verdict:
    """Return the verdict that names rows which disagree beyond the card, where there are any.

    Of a run that may not be believed they are the likely cause, and the remedies of the
    diagnostics would not help.

    Parameters
    ----------
    verdict : Verdict
        What the diagnostics say.
    disagreeing : sequence of str
        Sentences of `mirical.inference.disagreements`.
    """
    if not disagreeing:
        return verdict
    told = [f"{sentence[0].upper()}{sentence[1:]}" for sentence in disagreeing]
    if verdict.believable:
        return replace(verdict, sentences=(*verdict.sentences, *told))
    rest = (
        f"With such rows the chains do not converge (R-hat of {verdict.worst_rhat_of} is "
        f"{verdict.worst_rhat:.3f}, the Monte-Carlo error of the mean of {verdict.mean_noise_of} "
        f"{verdict.mean_noise:.1%} of its error); longer ones would not help before the rows are "
        "corrected."
    )
    return replace(verdict, sentences=(*told, rest))


def _failures(
    extremes: dict[str, tuple[float, str]],
    divergences: int,
    bfmi: float,
    sampler: Sampler,
    more: str,
) -> Iterator[str]:
    rhat = extremes["rhat"]
    if not rhat[0] <= RHAT_LIMIT:
        yield (
            f"The chains disagree: R-hat of {rhat[1]} is {rhat[0]:.3f}, expected at most "
            f"{RHAT_LIMIT}; double --warmup, and look at that quantity's prior if it stays."
        )
    for kind, limit in (("bulk", sampler.target_ess), ("tail", sampler.target_ess_tail)):
        found = extremes[kind]
        if not found[0] >= limit:
            yield (
                f"Too few effective draws: {kind} ESS of {found[1]} is {found[0]:.0f}, expected at "
                f"least {limit}; {more.format(limit / max(found[0], 1))}."
            )
    noise = error_noise_limit(sampler.target_ess)
    for kind, limit in (("error", noise), ("mean", MEAN_NOISE_LIMIT)):
        found = extremes[kind]
        if not found[0] <= limit:
            yield (
                f"Too few draws for what is printed: the Monte-Carlo error of the {kind} of "
                f"{found[1]} is {100 * found[0]:.1f} % of its error, expected at most "
                f"{100 * limit:.1f} %; {more.format((found[0] / limit) ** 2)}."
            )
    if divergences:
        what = "1 draw" if divergences == 1 else f"{divergences} draws"
        yield (
            f"{what} diverged, so part of the posterior may be missed; raise "
            "sampler target_accept towards 0.99 in the job file."
        )
    if not bfmi >= BFMI_LIMIT:
        yield (
            f"The energy explores slowly (E-BFMI {bfmi:.2f}, expected at least {BFMI_LIMIT}): "
            "a scale has hardly any data; tighten its prior in the card or drop its term."
        )
