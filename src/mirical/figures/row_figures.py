"""ArviZ's plots of rows and ranks: replicated rows, and shares that should be uniform."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from mirical.errors import InputError, did_you_mean
from mirical.figures.arviz_canvas import (
    ARVIZ_STYLE,
    SHARES,
    figure_of,
    label_simulated,
    layout,
    name_shares,
    tree,
)
from mirical.plotting.canvas import OURS, PUBLISHED, legend_below

Floats = NDArray[np.float64]

_REPLICATES = 100  # replicated tables that are drawn
_COLUMNS = 3
_SHOWN = 0.01, 0.99  # of the replicated rows: a wide tail would leave no room to the others


@rc_context(ARVIZ_STYLE)
def replicated_rows(posterior: xr.DataTree, bands: Sequence[str] | None = None) -> Figure:
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
    replicated = 100 * (predicted - middle)
    observed = 100 * (posterior["observed_data"]["log_factor"].to_numpy()[rows] - middle)
    low, high = map(float, np.quantile(replicated, _SHOWN))
    reach = max(-low, high)
    # ArviZ draws a curve at points evenly spread from end to end: ends far out leave few within.
    ends = -1.05 * reach, 1.05 * reach
    made = xr.Dataset({"ln C": (("chain", "draw", "row"), np.clip(replicated, *ends))})
    seen = xr.Dataset({"ln C": (("row",), np.clip(observed, *ends))})
    figure = figure_of(
        arviz_plots.plot_ppc_dist(
            tree(posterior_predictive=made, observed_data=seen),
            kind="ecdf",
            num_samples=min(_REPLICATES, made.sizes["chain"] * made.sizes["draw"]),
            visuals={"title": False, "observed_dist": {"color": PUBLISHED, "width": 2}},
            backend="matplotlib",
            figure_kwargs={"figsize": (6.4, 4.4)},
        )
    )
    axes = figure.axes[0]
    axes.set_xlim(-reach, reach)
    axes.set_xlabel("ln C of a row, less the median of its prediction (%)")
    axes.set_ylabel("Share of rows below")
    kinds = (PUBLISHED, f"the {len(rows)} rows"), (OURS, "as many rows, replicated")
    legend_below(figure, [Line2D([], [], color=of, label=label) for of, label in kinds], 2)
    return label_simulated(figure, bool(posterior.attrs.get("simulated")))


@rc_context(ARVIZ_STYLE)
def uniform_shares(shares: dict[str, Floats], along: str, of: str, simulated: bool) -> Figure:
    """Draw the empirical distributions of shares less the uniform one: ECDF-PIT.

    Parameters
    ----------
    shares : dict of {str : (sample,) array}
        By the title of their panel, all of one length, between 0 and 1.
    along : str
        What a share is.
    of : str
        What there is one share of.
    simulated : bool
        Whether the figure must say that its data are simulated.
    """
    import arviz_plots

    made = xr.Dataset({name: (("sample",), values) for name, values in shares.items()})
    options = layout(len(shares), _COLUMNS, 2.0 if len(shares) > 1 else 3.4) | SHARES
    made = arviz_plots.plot_ecdf_pit(tree(prior_sbc=made), sample_dims=["sample"], **options)
    figure = name_shares(figure_of(made), along, of, {of: OURS})
    return label_simulated(figure, simulated)


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
