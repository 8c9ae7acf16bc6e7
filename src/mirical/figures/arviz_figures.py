"""ArviZ's plots of a run's draws: ranks, energies, intervals, pairs, predictive rows, PIT."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from arviz_stats.base.array import array_stats
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from mirical.errors import InputError, did_you_mean
from mirical.figures.quantities import labelled_draws
from mirical.plotting.canvas import OURS, PUBLISHED, STYLE, WARNING

if TYPE_CHECKING:
    from arviz_plots.plot_collection import PlotCollection
    from arviz_plots.plot_matrix import PlotMatrix

Floats = NDArray[np.float64]

WORST = 4
"""Quantities that are drawn where none are named: those with the fewest effective draws."""
_FOREST = "star_offset", "loss", "repeatability"
"""Variables of a forest where none are named: the first that there is."""
_MOST = 60  # lines of a forest, or panels, that can still be read
_MOST_OF_PAIR = 8
_POINTS = 1000  # of a panel, all chains together
_FEWEST = 20  # draws of a chain that a figure shows, few as they may be worth
_REPLICATES = 100  # replicated tables that are drawn
_SHOWN = 0.002, 0.998  # of the replicated rows: a wide tail would leave no room to the others
_PLAIN = {"axes.grid": False, "figure.constrained_layout.use": True}


def draw_arviz_figure(
    kind: str,
    posterior: xr.DataTree,
    bands: Sequence[str] | None = None,
    quantities: Sequence[str] | None = None,
) -> Figure:
    """Return one of ArviZ's plots of a run's draws.

    Parameters
    ----------
    kind : {"rank", "trace", "energy", "forest", "pair", "ppc"}
        Which.
    posterior : DataTree
        A run's.
    bands : sequence of str, optional
        Bands whose rows a predictive check is of; by default all.
    quantities : sequence of str, optional
        Variables or single quantities, as ``A[F770W]``, that the others are of.

    Raises
    ------
    InputError
        If there is no such band or quantity, or the draws are not of chains where these are
        drawn.
    """
    if kind == "ppc":
        figure = ppc(posterior, bands)
    elif kind == "energy":
        figure = energy(posterior)
    else:
        of = {"rank": rank, "trace": trace, "forest": forest, "pair": pair}
        figure = of[kind](posterior, quantities)
    return _label(figure, bool(posterior.attrs.get("simulated")))


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
    chosen = _about_independent(_few("rank", _chosen(posterior, wanted)))
    return _figure(lambda: arviz_plots.plot_rank(_tree(posterior=chosen), backend="matplotlib"))


def trace(posterior: xr.DataTree, wanted: Sequence[str] | None) -> Figure:
    """Draw the draws of each chain in order; see `rank`.

    Raises
    ------
    InputError
        As `rank`.
    """
    import arviz_plots

    _require_chains("trace", posterior)
    chosen = _few("trace", _chosen(posterior, wanted))
    return _figure(lambda: arviz_plots.plot_trace(_tree(posterior=chosen), backend="matplotlib"))


def pair(posterior: xr.DataTree, wanted: Sequence[str] | None) -> Figure:
    """Draw quantities against each other; see `rank`.

    Raises
    ------
    InputError
        If there is no such quantity, or fewer than two or more than eight are asked for.
    """
    import arviz_plots

    chosen = _chosen(posterior, wanted)
    number = len(chosen.data_vars)
    if not 2 <= number <= _MOST_OF_PAIR:
        raise InputError(
            f"pair: {number} quantities were asked for; expected from 2 to {_MOST_OF_PAIR}."
        )
    chosen = chosen.isel(draw=_spread(chosen.sizes["draw"], _POINTS // chosen.sizes["chain"]))
    chosen = chosen.rename({name: _in_lines(str(name)) for name in chosen.data_vars})
    return _figure(
        lambda: arviz_plots.plot_pair(
            _tree(posterior=chosen),
            visuals={"scatter": {"alpha": 0.25, "size": 12}},
            backend="matplotlib",
            figure_kwargs={"figsize": (2.6 * number + 1, 2.2 * number + 1)},
        )
    )


def forest(posterior: xr.DataTree, wanted: Sequence[str] | None) -> Figure:
    """Draw the central 50 % and 94 % of quantities on one axis.

    Parameters
    ----------
    posterior : DataTree
        A run's.
    wanted : sequence of str, optional
        Variables, or single quantities; by default the star offsets, or the losses where the card
        has none.

    Raises
    ------
    InputError
        If there is no such quantity.
    """
    import arviz_plots

    usual = [name for name in _FOREST if name in posterior["posterior"].data_vars][:1]
    chosen = _few("forest", labelled_draws(posterior, wanted or usual))
    variables = {str(name).partition("[")[0] for name in chosen.data_vars}
    alone = len(variables) == 1 and all("[" in str(name) for name in chosen.data_vars)
    if alone:  # the axis names the variable
        inner = {name: str(name).partition("[")[2].rstrip("]") for name in chosen.data_vars}
        chosen = chosen.rename(inner)
    figure = _figure(
        lambda: arviz_plots.plot_forest(
            _tree(posterior=chosen),
            combined=True,
            ci_probs=(0.5, 0.94),
            ci_kind="eti",
            backend="matplotlib",
            figure_kwargs={"figsize": (8.0, 1.4 + 0.24 * len(chosen.data_vars))},
        )
    )
    names, axes = figure.axes[0], figure.axes[-1]
    names.set_xticks([])
    names.spines["bottom"].set_visible(False)
    said = variables.pop() if alone else "quantity"
    axes.set_xlabel(f"{said}: median, central 50 % and 94 %", family=STYLE["font.family"])
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
    stats = xr.Dataset({"energy": (("chain", "draw"), steps)})
    return _figure(lambda: arviz_plots.plot_energy(_tree(sample_stats=stats), backend="matplotlib"))


def ppc(posterior: xr.DataTree, bands: Sequence[str] | None = None) -> Figure:
    """Draw the distribution of the rows over those of replicated rows.

    Both are ln C of a row less the median of what is predicted of it, so that bands compare.

    Parameters
    ----------
    posterior : DataTree
        A run's.
    bands : sequence of str, optional
        Bands whose rows are drawn; by default all.

    Raises
    ------
    InputError
        If the run has no rows in one of them.
    """
    import arviz_plots

    rows = _rows_of(posterior, bands)
    predicted = posterior["posterior_predictive"]["log_factor"].to_numpy()[..., rows]
    middle = np.median(predicted, axis=(0, 1))
    observed = posterior["observed_data"]["log_factor"].to_numpy()[rows]
    made = xr.Dataset({"ln C": (("chain", "draw", "row"), 100 * (predicted - middle))})
    seen = xr.Dataset({"ln C": (("row",), 100 * (observed - middle))})
    tree = _tree(posterior_predictive=made, observed_data=seen)
    figure = _figure(
        lambda: arviz_plots.plot_ppc_dist(
            tree,
            kind="ecdf",
            num_samples=min(_REPLICATES, made.sizes["chain"] * made.sizes["draw"]),
            visuals={"title": False, "observed_dist": {"color": PUBLISHED, "width": 2}},
            backend="matplotlib",
            figure_kwargs={"figsize": (6.4, 4.0)},
        )
    )
    axes = figure.axes[0]
    axes.set_xlim(*map(float, np.quantile(made["ln C"].to_numpy(), _SHOWN)))
    letters = {"family": STYLE["font.family"]}
    axes.set_xlabel("ln C of a row, less the median of its prediction (%)", **letters)
    axes.set_ylabel("Share of rows below", **letters)
    kinds = (OURS, "replicated tables of rows"), (PUBLISHED, "the rows")
    handles = [Line2D([], [], color=colour, label=label) for colour, label in kinds]
    axes.legend(handles=handles, frameon=False, prop=letters)
    return figure


def ecdf_pit(shares: dict[str, Floats], simulated: bool) -> Figure:
    """Draw the empirical distributions of shares less the uniform one, with simultaneous bands.

    Parameters
    ----------
    shares : dict of {str : (sample,) array}
        By what they are of, all of one length, between 0 and 1.
    simulated : bool
        Whether the figure must say that its data are simulated.
    """
    import arviz_plots

    made = xr.Dataset({name: (("sample",), values) for name, values in shares.items()})
    tree = _tree(prior_sbc=made)
    figure = _figure(
        lambda: arviz_plots.plot_ecdf_pit(tree, sample_dims=["sample"], backend="matplotlib")
    )
    return _label(figure, simulated)


def _label(figure: Figure, simulated: bool) -> Figure:
    """Return a figure, which then says so if its data are simulated."""
    if simulated:
        family = STYLE["font.family"]
        said = {"color": WARNING, "weight": "bold", "fontsize": 15, "family": family}
        figure.suptitle("simulated data", **said)
    return figure


def _figure(draw: Callable[[], PlotCollection | PlotMatrix]) -> Figure:
    """Return the figure of a plot, in our letters and known to nobody else."""
    from matplotlib import pyplot

    letters = {name: of for name, of in STYLE.items() if name.startswith(("font", "mathtext"))}
    with rc_context(letters | _PLAIN):
        made = draw()
    figure: Any = made.viz["figure"].item()
    pyplot.close(figure)  # else a notebook shows it twice
    return figure


def _tree(**groups: xr.Dataset) -> xr.DataTree:
    return xr.DataTree.from_dict(groups)


def _chosen(posterior: xr.DataTree, wanted: Sequence[str] | None) -> xr.Dataset:
    """Return the draws of quantities, of the worst ones if none are named."""
    if wanted:
        return labelled_draws(posterior, wanted)
    drawn = labelled_draws(posterior, None)
    names = [str(name) for name in drawn.data_vars]
    return drawn[[names[i] for i in np.argsort(_effective(drawn), kind="stable")[:WORST]]]


def _effective(drawn: xr.Dataset) -> Floats:
    """Return the effective draws, bulk, of each quantity."""
    values = np.stack([one.to_numpy() for one in drawn.data_vars.values()], axis=-1)
    return np.asarray(array_stats.ess(values, chain_axis=0, draw_axis=1, method="bulk"))


def _about_independent(drawn: xr.Dataset) -> xr.Dataset:
    """Return draws thinned until those of the worst quantity are about independent."""
    draws, effective = drawn.sizes["draw"], float(np.min(_effective(drawn)))
    return drawn.isel(draw=_spread(draws, int(effective / drawn.sizes["chain"])))


def _spread(draws: int, wanted: int) -> slice:
    """Return every so manieth of some draws, so that about as many are left as wanted."""
    return slice(None, None, max(1, round(draws / max(wanted, _FEWEST))))


def _in_lines(label: str) -> str:
    """Return the label of a quantity in several short lines."""
    return label.replace("[", "\n").replace(", ", "\n").rstrip("]")


def _few(kind: str, chosen: xr.Dataset) -> xr.Dataset:
    number = len(chosen.data_vars)
    if number > _MOST:
        raise InputError(
            f"{kind}: {number} quantities were asked for; expected {_MOST} at most: name single "
            "ones, such as 'A[F770W]'."
        )
    return chosen


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


def _rows_of(posterior: xr.DataTree, bands: Sequence[str] | None) -> NDArray[np.intp]:
    known = [str(band) for band in posterior["posterior"]["band"].to_numpy()]
    index = posterior["constant_data"]["band_index"].to_numpy()
    if bands is None:
        return np.arange(len(index))
    for band in bands:
        if band not in known:
            raise InputError(
                f"ppc: the run has no rows in band {band!r}{did_you_mean(band, known)}"
            )
    return np.flatnonzero(np.isin(index, [known.index(band) for band in bands]))
