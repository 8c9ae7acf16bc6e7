"""ArviZ's plots of how the chains went: ranks, traces, energies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mirical.errors import InputError
from mirical.figures.arviz_canvas import SHARES, figure_of, layout, name_shares, tree
from mirical.figures.quantities import (
    chosen_draws,
    effective_draws,
    few,
    thinned,
    with_units,
)
from mirical.instruments.instrument import Instrument
from mirical.plotting.canvas import OURS, PUBLISHED, legend_below

Floats = NDArray[np.float64]

_COLUMNS = 2
_POOR = 0.3  # E-BFMI below which a chain hardly changes its energy, as ArviZ marks it


def rank(posterior: xr.DataTree, wanted: Sequence[str] | None) -> Figure:
    """Draw the ranks of each chain's draws among all: lines in the band if the chains agree.

    The band is of independent draws, so the chains are thinned until theirs are about such.

    Parameters
    ----------
    posterior : DataTree
        A run's, of chains.
    wanted : sequence of str, optional
        Variables, or single quantities as ``A[F770W]``; by default the `WORST`.

    Raises
    ------
    InputError
        If the draws are not of chains, or there is no such quantity.
    """
    import arviz_plots

    _require_chains("rank", posterior)
    chosen = _about_independent(few("rank", chosen_draws(posterior, wanted)))
    options = layout(len(chosen.data_vars), _COLUMNS, 2.2) | SHARES
    figure = figure_of(arviz_plots.plot_rank(tree(posterior=chosen), **options))
    lines = _colours(figure, chosen)
    return name_shares(figure, "Rank among the draws of all chains", "a chain's draws", lines)


def trace(posterior: xr.DataTree, instrument: Instrument, wanted: Sequence[str] | None) -> Figure:
    """Draw the draws of each chain in order; see `rank`.

    Raises
    ------
    InputError
        As `rank`.
    """
    import arviz_plots

    _require_chains("trace", posterior)
    chosen = few("trace", chosen_draws(posterior, wanted))
    chosen = with_units(chosen, instrument)
    options = layout(len(chosen.data_vars), _COLUMNS, 2.2)
    options["visuals"] = {"trace": {"width": 0.5, "alpha": 0.7}}
    figure = figure_of(arviz_plots.plot_trace(tree(posterior=chosen), **options))
    known = [Line2D([], [], color=of, label=name) for name, of in _colours(figure, chosen).items()]
    legend_below(figure, known, len(known))
    return figure


def energy(posterior: xr.DataTree) -> Figure:
    """Draw the energies of the chains and their changes from step to step, with E-BFMI.

    Raises
    ------
    InputError
        If the draws are not of chains.
    """
    import arviz_plots

    _require_chains("energy", posterior)
    steps = _of_steps(posterior["sample_stats"]["energy"].to_numpy())
    stats = tree(sample_stats=xr.Dataset({"energy": (("chain", "draw"), steps)}))
    options = layout(2, 2, 3.0)
    del options["col_wrap"]
    options["visuals"] = {"legend": False, "title": False}
    figure = figure_of(arviz_plots.plot_energy(stats, threshold=_POOR, **options))
    left, right = figure.axes
    left.yaxis.set_major_locator(MaxNLocator(integer=True))
    left.set_xlim(left=0)
    left.set_xlabel(f"E-BFMI; below {_POOR} (dashed) a chain explores badly")
    right.set_title("")
    right.set_xlabel("Energy less its mean")
    of_lines = dict(zip(("energy", "its change from step to step"), (OURS, PUBLISHED), strict=True))
    known = [Line2D([], [], color=of, label=label) for label, of in of_lines.items()]
    legend_below(figure, known, 2)
    return figure


def _about_independent(drawn: xr.Dataset) -> xr.Dataset:
    """Return draws thinned until those of the worst quantity are about independent."""
    worth = float(np.min(effective_draws(drawn)))
    return thinned(drawn, int(worth / drawn.sizes["chain"]))


def _colours(figure: Figure, drawn: xr.Dataset) -> dict[str, str]:
    """Return the colours of the lines of the first panel, by chain."""
    lines = figure.axes[0].lines
    return {
        f"chain {number}": str(line.get_color())
        for number, line in zip(drawn["chain"].to_numpy(), lines, strict=False)
    }


def _require_chains(kind: str, posterior: xr.DataTree) -> None:
    if "energy" not in posterior["sample_stats"].data_vars or "method" in posterior.attrs:
        raise InputError(
            f"{kind}: the draws of this run are of no chains, as weights made them; fit it with "
            "'mirical run' and without --fast."
        )


def _of_steps(energies: Floats) -> Floats:
    """Return one energy a step of the sampler, several of whose draws share it, (chain, step)."""
    each = [chain[np.append(True, np.diff(chain) != 0)] for chain in energies]
    length = min(map(len, each))
    return np.stack([chain[:length] for chain in each])
