"""Should the draws be believed? R-hat, effective sample sizes, divergences, E-BFMI, a verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr
from arviz_stats.sampling_diagnostics import bfmi as bfmi_of
from arviz_stats.sampling_diagnostics import ess
from arviz_stats.sampling_diagnostics import rhat as rhat_of

RHAT_LIMIT = 1.01
ESS_LIMIT = 400
BFMI_LIMIT = 0.3


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
        Mean number of leapfrog steps a draw.
    """

    believable: bool
    sentences: tuple[str, ...]
    worst_rhat: float
    worst_rhat_of: str
    min_ess_bulk: float
    min_ess_bulk_of: str
    min_ess_tail: float
    min_ess_tail_of: str
    min_bfmi: float
    divergences: int
    draws: int
    chains: int
    mean_steps: float

    def as_dict(self) -> dict[str, Any]:
        """Return the record as plain types for JSON."""
        return asdict(self)


def judge(posterior: xr.DataTree, quantities: Iterable[str], complete: bool) -> Verdict:
    """Return the verdict over the reported quantities of a posterior.

    Parameters
    ----------
    posterior : DataTree
        With groups ``posterior`` and ``sample_stats``.
    quantities : iterable of str
        Variables of ``posterior`` that tables or report quote.
    complete : bool
        Whether sampling ran to its end.
    """
    drawn = posterior["posterior"].to_dataset()[list(quantities)]
    with np.errstate(invalid="ignore"):  # 0/0 for what is constant by definition (D of FULL)
        rhats = rhat_of(drawn)
    rhat = _extreme(rhats, drawn, np.nanargmax)
    bulk = _extreme(ess(drawn, method="bulk"), drawn, np.nanargmin)
    tail = _extreme(ess(drawn, method="tail"), drawn, np.nanargmin)
    stats = posterior["sample_stats"].to_dataset()
    divergences = int(stats["diverging"].sum())
    bfmi = float(np.min(bfmi_of(posterior)["energy"]))
    numbers = (rhat, bulk, tail, divergences, bfmi)
    failed = tuple(_failures(*numbers, sampler_done=complete))
    return Verdict(
        believable=not failed,
        sentences=failed or ("The chains agree and the draws may be used.",),
        worst_rhat=rhat[0],
        worst_rhat_of=rhat[1],
        min_ess_bulk=bulk[0],
        min_ess_bulk_of=bulk[1],
        min_ess_tail=tail[0],
        min_ess_tail_of=tail[1],
        min_bfmi=bfmi,
        divergences=divergences,
        draws=drawn.sizes["draw"],
        chains=drawn.sizes["chain"],
        mean_steps=float(stats["n_steps"].mean()),
    )


def _failures(
    rhat: tuple[float, str],
    bulk: tuple[float, str],
    tail: tuple[float, str],
    divergences: int,
    bfmi: float,
    *,
    sampler_done: bool,
) -> Iterable[str]:
    if not sampler_done:
        yield "Sampling was interrupted; run the job again for the draws it asks for."
    if not rhat[0] <= RHAT_LIMIT:
        yield (
            f"The chains disagree: R-hat of {rhat[1]} is {rhat[0]:.3f}, expected at most "
            f"{RHAT_LIMIT}; double --warmup, and look at that quantity's prior if it stays."
        )
    for kind, found in (("bulk", bulk), ("tail", tail)):
        if not found[0] >= ESS_LIMIT:
            yield (
                f"Too few effective draws: {kind} ESS of {found[1]} is {found[0]:.0f}, expected at "
                f"least {ESS_LIMIT}; raise --draws by a factor {ESS_LIMIT / max(found[0], 1):.1f}."
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


def _extreme(values: xr.Dataset, drawn: xr.Dataset, choose: Any) -> tuple[float, str]:
    """Return the extreme value and the name of its quantity, e.g. ``A[F560W]``."""
    found = []
    for name, value in values.data_vars.items():
        constant = (drawn[name].std(("chain", "draw")) == 0).values
        flat = np.where(constant, np.nan, value.values).ravel()
        if np.all(constant):
            continue
        # A quantity that varies but has no finite diagnostic is the worst there is.
        if np.any(~np.isfinite(flat) & ~constant.ravel()):
            return float("nan"), str(name)
        place = int(choose(flat))
        found.append((float(flat[place]), f"{name}{_labels(value, place)}"))
    return found[int(choose([number for number, _ in found]))]


def _labels(value: xr.DataArray, place: int) -> str:
    if value.ndim == 0:
        return ""
    where = np.unravel_index(place, value.shape)
    labels = [str(value[dim].values[i]) for dim, i in zip(value.dims, where, strict=True)]
    return f"[{', '.join(labels)}]"
