"""ArviZ's plots of quantities: their intervals, and pairs of them."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr
from matplotlib.figure import Figure

from mirical.errors import InputError
from mirical.figures.arviz_canvas import figure_of, tree
from mirical.figures.quantities import (
    chosen_draws,
    few,
    labelled_draws,
    thinned,
    unit_of,
    with_units,
)
from mirical.instruments.instrument import Instrument
from mirical.plotting.canvas import GREY

_FOREST = "star_offset", "loss", "repeatability"
"""Variables of a forest where none are named: the first that there is."""
_MOST_OF_PAIR = 8
_POINTS = 1000  # of a panel, all chains together


def pair(posterior: xr.DataTree, instrument: Instrument, wanted: Sequence[str] | None) -> Figure:
    """Draw quantities against each other; see `rank`.

    Raises
    ------
    InputError
        If there is no such quantity, or fewer than two or more than eight are asked for.
    """
    import arviz_plots

    chosen = chosen_draws(posterior, wanted)
    number = len(chosen.data_vars)
    if not 2 <= number <= _MOST_OF_PAIR:
        raise InputError(
            f"pair: {number} quantities were asked for; expected from 2 to {_MOST_OF_PAIR}."
        )
    chosen = thinned(chosen, _POINTS // chosen.sizes["chain"])
    chosen = with_units(chosen, instrument)
    chosen = chosen.rename({name: _in_lines(str(name)) for name in chosen.data_vars})
    return figure_of(
        arviz_plots.plot_pair(
            tree(posterior=chosen),
            visuals={"scatter": {"alpha": 0.25, "size": 12}},
            backend="matplotlib",
            figure_kwargs={"figsize": (2.6 * number + 1, 2.2 * number + 1)},
        )
    )


def forest(posterior: xr.DataTree, instrument: Instrument, wanted: Sequence[str] | None) -> Figure:
    """Draw the central 50 % and 94 % of quantities on one axis.

    Parameters
    ----------
    posterior : DataTree
        A run's.
    instrument : Instrument
        Whose rows were fitted.
    wanted : sequence of str, optional
        Variables, or single quantities; by default the star offsets, or the losses where the card
        has none.

    Raises
    ------
    InputError
        If there is no such quantity, or they have not the same unit.
    """
    import arviz_plots

    usual = [name for name in _FOREST if name in posterior["posterior"].data_vars][:1]
    chosen = few("forest", labelled_draws(posterior, wanted or usual))
    variables = {str(name).partition("[")[0] for name in chosen.data_vars}
    alone = len(variables) == 1 and all("[" in str(name) for name in chosen.data_vars)
    if alone:  # the axis names the variable
        inner = {name: str(name).partition("[")[2].rstrip("]") for name in chosen.data_vars}
        chosen = chosen.rename(inner)
    units = {unit_of(name, instrument) for name in variables}
    if len(units) > 1:
        raise InputError(
            f"forest: {', '.join(sorted(variables))} have not the same unit, and share an axis; "
            "draw them one by one."
        )
    number = len(chosen.data_vars)
    figure = figure_of(
        arviz_plots.plot_forest(
            tree(posterior=chosen),
            combined=True,
            ci_probs=(0.5, 0.94),
            ci_kind="eti",
            backend="matplotlib",
            figure_kwargs={"figsize": (8.0, 1.4 + 0.24 * number)},
        )
    )
    names, axes = figure.axes[0], figure.axes[-1]
    names.set_xticks([])
    names.spines["bottom"].set_visible(False)
    axes.set_ylim(-0.7, number - 0.3)
    if axes.get_xlim()[0] < 0 < axes.get_xlim()[1]:
        axes.axvline(0, color=GREY, lw=0.8, ls="--", zorder=0)
    said = variables.pop() if alone else "Quantity"
    axes.set_xlabel(f"{said}{units.pop()}: median, central 50 % and 94 %")
    return figure


def _in_lines(label: str) -> str:
    """Return the label of a quantity in several short lines."""
    return label.replace("[", "\n").replace(", ", "\n").replace("]", "").replace(" (", "\n(")
