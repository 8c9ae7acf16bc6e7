"""Verdict on a posterior of weighted draws: whether the weights leave enough of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from mirical.chains.convergence import (
    Convergence,
    diagnose,
    error_noise_limit,
    mean_noise_limit,
    printed_places,
)
from mirical.chains.verdict import Verdict
from mirical.inference.schema import DIMS, SAMPLE, Arrays

_TAIL = 0.4  # of the effective draws asked for, in the tails
WEIGHTED_ESS = 400
"""Effective draws that weighted draws must leave of every reported quantity. A run draws until it
has 1000: so many that an update may use up some. The Monte-Carlo error of a mean is then a
twentieth of its error."""


@dataclass(frozen=True)
class Weighed:
    """How weighted draws were made.

    Attributes
    ----------
    method : str
        The name of the way.
    k : float or None
        Shape of the weights' tail; None where the draws were moved on since, so that it tells
        nothing of them.
    limit : float
        The largest it may have.
    effective : float or None
        Independent draws that the weights leave; None where the draws were moved on since, so that
        their own effective number tells.
    remedy : str
        What to do if they must not be trusted, the end of a sentence.
    doubts : tuple of str
        Sentences of what else speaks against them.
    least : int
        Effective draws, bulk, that there must be of every reported quantity; in the tails, two
        fifths of it.
    how : str
        A sentence on how the draws were made.
    """

    method: str
    k: float | None
    limit: float
    effective: float | None
    remedy: str
    doubts: tuple[str, ...] = ()
    least: int = WEIGHTED_ESS
    how: str = (
        "The draws were not made by chains: they are draws of another density that stand as often "
        "as their weights say, with offsets drawn anew."
    )

    @property
    def least_tail(self) -> int:
        """Effective draws that there must be in the tails."""
        return int(_TAIL * self.least)


def enough_draws(sites: Arrays, printed: Iterable[str], least: int) -> bool:
    """Return whether draws are as many as `judge_weighted` asks for.

    Parameters
    ----------
    sites : dict of {str : (chain, draw, ...) array}
        The reported quantities.
    printed : iterable of str
        Those that tables print with errors.
    least : int
        As of `Weighed`.
    """
    variables = {name: ((*SAMPLE, *DIMS[name]), values) for name, values in sites.items()}
    drawn = xr.Dataset(variables)
    asked = Weighed("", k=None, limit=np.inf, effective=None, remedy="", least=least)
    return not list(_failures(diagnose(drawn, printed_places(drawn, printed)), asked))


def judge_weighted(
    posterior: xr.DataTree, quantities: Iterable[str], printed: Iterable[str], weighed: Weighed
) -> Verdict:
    """Return the verdict over the reported quantities of equally weighted draws.

    R-hat of the parts in which they are stored is not judged: no chains ran that might disagree.
    Draws that stand more than once are told by their autocorrelation, if copies are side by side
    (`mirical.weighting.pareto.resample`).

    Parameters
    ----------
    posterior : DataTree
        With group ``posterior``.
    quantities, printed : iterable of str
        As of `mirical.chains.verdict.judge`.
    weighed : Weighed
        How the draws were made.
    """
    drawn = posterior["posterior"].to_dataset()[list(quantities)]
    found = diagnose(drawn, printed_places(drawn, printed))
    failed = (*weighed.doubts, *_failures(found, weighed))
    even = weighed.k is not None
    said = "The weights are even enough" if even else "The exact steps were enough"
    rhat, error, mean = (found.largest(v) for v in (found.rhat, found.error, found.mean))
    bulk, tail = (found.smallest(v) for v in (found.bulk, found.tail))
    return Verdict(
        believable=not failed,
        sentences=failed or (f"{said}, and the draws may be used.",),
        worst_rhat=rhat[0],
        worst_rhat_of=rhat[1],
        min_ess_bulk=bulk[0],
        min_ess_bulk_of=bulk[1],
        min_ess_tail=tail[0],
        min_ess_tail_of=tail[1],
        min_bfmi=None,
        divergences=0,
        draws=drawn.sizes["draw"],
        chains=drawn.sizes["chain"],
        mean_steps=0.0,
        error_noise=error[0],
        error_noise_of=error[1],
        mean_noise=mean[0],
        mean_noise_of=mean[1],
        target_ess=weighed.least,
        target_ess_tail=weighed.least_tail,
        stopping=(weighed.how,),
        method=weighed.method,
        pareto_k=weighed.k,
        pareto_k_limit=weighed.limit,
        effective_draws=weighed.effective,
    )


def _failures(found: Convergence, weighed: Weighed) -> Iterator[str]:
    if weighed.k is not None and not weighed.k < weighed.limit:
        yield (
            f"The weights must not be trusted: their Pareto k is {weighed.k:.2f}, expected below "
            f"{weighed.limit:.2f}; {weighed.remedy}."
        )
    if weighed.effective is not None and not weighed.effective >= weighed.least:
        yield (
            f"The weights leave {weighed.effective:.0f} effective draws, expected at least "
            f"{weighed.least}; {weighed.remedy}."
        )
    limits = ("bulk", found.bulk, weighed.least), ("tail", found.tail, weighed.least_tail)
    for kind, values, least in limits:
        fewest, label = found.smallest(values)
        if not fewest >= least:
            yield (
                f"Too few effective draws: {kind} ESS of {label} is {fewest:.0f}, expected at "
                f"least {least}; {weighed.remedy}."
            )
    noise = error_noise_limit(weighed.least), mean_noise_limit(weighed.least)
    for kind, values, most in (("error", found.error, noise[0]), ("mean", found.mean, noise[1])):
        largest, label = found.largest(values)
        if not largest <= most:
            yield (
                f"Too few draws for what is printed: the Monte-Carlo error of the {kind} of "
                f"{label} is {100 * largest:.1f} % of its error, expected at most "
                f"{100 * most:.1f} %; {weighed.remedy}."
            )
