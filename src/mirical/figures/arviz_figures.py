"""ArviZ's plots of a run's draws: ranks, traces, energies, intervals, pairs, predictive rows."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr
from matplotlib import rc_context
from matplotlib.figure import Figure

from mirical.figures.arviz_canvas import ARVIZ_STYLE, label_simulated
from mirical.figures.chain_figures import energy, rank, trace
from mirical.figures.quantity_figures import forest, pair
from mirical.figures.row_figures import replicated_rows
from mirical.instruments.instrument import Instrument


def draw_arviz_figure(
    kind: str,
    posterior: xr.DataTree,
    instrument: Instrument,
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
    instrument : Instrument
        Whose rows were fitted: the unit of their factors.
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
        return replicated_rows(posterior, bands)
    with rc_context(ARVIZ_STYLE):
        if kind == "energy":
            figure = energy(posterior)
        elif kind == "rank":
            figure = rank(posterior, quantities)
        else:
            of = {"trace": trace, "forest": forest, "pair": pair}
            figure = of[kind](posterior, instrument, quantities)
        return label_simulated(figure, bool(posterior.attrs.get("simulated")))
