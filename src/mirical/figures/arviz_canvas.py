"""Our letters, labels and legends on ArviZ's plots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import xarray as xr
from cycler import cycler
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mirical.plotting.canvas import (
    GREY,
    OURS,
    PUBLISHED,
    SHADE,
    STYLE,
    WARNING,
    WIDTH,
    legend_below,
)

if TYPE_CHECKING:
    from arviz_plots.plot_collection import PlotCollection
    from arviz_plots.plot_matrix import PlotMatrix

ARVIZ_STYLE: dict[str, Any] = {
    **{name: of for name, of in STYLE.items() if name.startswith(("font", "mathtext", "legend"))},
    "axes.formatter.useoffset": False,
    "axes.grid": False,
    "axes.prop_cycle": cycler(color=[OURS, PUBLISHED, "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]),
    "figure.constrained_layout.use": True,
    "figure.labelsize": STYLE["figure.labelsize"],
}
"""ArviZ's plots are drawn within these settings."""

BAND = 0.99
"""Probability that a line of shares keeps to its band if nothing is wrong."""


def tree(**groups: xr.Dataset) -> xr.DataTree:
    """Return draws as ArviZ takes them, by group; names of quantities are those of its labels."""
    plain = {
        group: of.rename(
            {name: str(name).replace("/", "\N{DIVISION SLASH}") for name in of.data_vars}
        )
        for group, of in groups.items()
    }
    return xr.DataTree.from_dict(plain)  # which takes a name with a slash for a path


def layout(panels: int, columns: int, height: float) -> dict[str, Any]:
    """Return ArviZ's options of a figure of our width, its panels each `height` inches tall."""
    columns = min(panels, columns)
    size = (WIDTH, height * -(-panels // columns) + 0.9)
    return {"backend": "matplotlib", "col_wrap": columns, "figure_kwargs": {"figsize": size}}


SHARES: dict[str, Any] = {
    "ci_prob": BAND,
    "visuals": {
        "remove_axis": False,
        "xlabel": False,
        "credible_interval": {"color": SHADE, "alpha": 1.0, "zorder": 0},
    },
}
"""ArviZ's options of lines of shares, with an axis, and a band that prints well."""


def name_shares(figure: Figure, along: str, of: str, lines: Mapping[str, str]) -> Figure:
    """Return a figure of lines of shares, with its axes and lines named.

    Parameters
    ----------
    figure : Figure
        The figure.
    along : str
        What a share is.
    of : str
        What the shares are of.
    lines : mapping of {str : str}
        Colour of the lines by what they show.
    """
    for axes in figure.axes:
        axes.axhline(0, color=GREY, lw=0.8, ls="--", zorder=0.5)
    for axes in figure.axes[-_columns(figure) :]:
        axes.set_xlabel(along)
    figure.supylabel(f"Share of {of} below, less the expected")
    known = [Line2D([], [], color=colour, label=label) for label, colour in lines.items()]
    band = Patch(color=SHADE, label=f"{100 * BAND:.0f} % of lines stay in this if nothing is wrong")
    legend_below(figure, [*known, band], len(known) + 1)
    return figure


def figure_of(made: PlotCollection | PlotMatrix) -> Figure:
    """Return the figure of a plot, known to nobody else."""
    from matplotlib import pyplot

    figure: Any = made.viz["figure"].item()
    pyplot.close(figure)  # else a notebook shows it twice
    return figure


def label_simulated(figure: Figure, simulated: bool) -> Figure:
    """Return a figure, which then says so if its data are simulated."""
    if simulated:
        figure.suptitle("simulated data", color=WARNING, weight="bold", fontsize=15)
    return figure


def _columns(figure: Figure) -> int:
    grid = figure.axes[0].get_gridspec()
    return grid.ncols if grid is not None else 1
