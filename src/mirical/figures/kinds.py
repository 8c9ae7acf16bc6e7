"""All figures that can be drawn of a run alone, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import xarray as xr
from astropy.table import QTable
from matplotlib.figure import Figure

from mirical.errors import InputError, did_you_mean
from mirical.figures.arviz_figures import draw_arviz_figure
from mirical.figures.check_figures import CHECK_FIGURES, draw_check_figure
from mirical.figures.rank_figures import RANK_FIGURE, draw_ranks
from mirical.figures.report_figures import REPORT_FIGURES, draw_report_figure
from mirical.instruments.instrument import Instrument

ARVIZ_FIGURES = {
    "rank": "ranks of each chain's draws among all, with a band that agreeing chains keep to",
    "trace": "draws of each chain in order",
    "energy": "energies of the chains and their changes, with E-BFMI",
    "forest": "intervals of quantities on one axis",
    "pair": "quantities against each other",
    "ppc": "distribution of the rows over that of replicated rows",
}
"""ArviZ's plots of a run's draws, and what each shows."""

OF_QUANTITIES = ("rank", "trace", "forest", "pair")
"""Those that can be of named quantities of the posterior."""

KINDS: dict[str, str] = {
    **{kind: about for kind, (about, _) in REPORT_FIGURES.items()},
    **{kind: f"{about} (of a check)" for kind, (about, _) in CHECK_FIGURES.items()},
    **{kind: f"{about} (ArviZ)" for kind, about in ARVIZ_FIGURES.items()},
    RANK_FIGURE: "ECDF-PIT of the ranks of 'mirical sbc' (ArviZ)",
}
"""Every kind of figure, and what it shows."""


@dataclass(frozen=True)
class OfRun:
    """What figures are drawn of.

    Attributes
    ----------
    folder : Path or None
        Where the run is stored, if it is.
    instrument : Instrument
        Whose rows they are.
    provenance : mapping
        What the run recorded of its rows, card, seed and software.
    tables : mapping of {str : QTable}
        Its tables.
    posterior : callable
        Returns its draws, a DataTree, which few figures need.
    """

    folder: Path | None
    instrument: Instrument
    provenance: Mapping[str, object]
    tables: Mapping[str, QTable]
    posterior: Callable[[], xr.DataTree]


def draw_kind(
    kind: str,
    run: OfRun,
    bands: Sequence[str] | None = None,
    quantities: Sequence[str] | None = None,
) -> Figure:
    """Return a figure of a run.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    run : OfRun
        The run.
    bands : sequence of str, optional
        Bands to draw; by default all.
    quantities : sequence of str, optional
        Variables of the posterior or single quantities, as ``A[F770W]``; by default those that
        the figure is usually of.

    Raises
    ------
    InputError
        If there is no such kind, the figure cannot be of bands or quantities, or what it is
        drawn of is not there.
    """
    require_kind(kind)
    if quantities is not None and kind not in (*OF_QUANTITIES, RANK_FIGURE):
        raise InputError(f"{kind}: this figure is of no quantities; leave them out.")
    if bands is not None and (kind in (*OF_QUANTITIES, RANK_FIGURE, "energy")):
        raise InputError(f"{kind}: this figure is of no bands; leave them out.")
    attrs = run.provenance
    simulated = bool(attrs.get("simulated"))
    if kind in REPORT_FIGURES:
        return draw_report_figure(kind, run.tables, run.instrument, simulated, bands)
    if kind in ARVIZ_FIGURES:
        return draw_arviz_figure(kind, run.posterior(), run.instrument, bands, quantities)
    if run.folder is None:
        raise InputError(f"{kind}: is drawn of what stands in a run's folder; save the run first.")
    if kind == RANK_FIGURE:
        return draw_ranks(run.folder, quantities)
    return draw_check_figure(kind, run.folder, attrs, run.instrument, bands)


def require_kind(kind: str) -> None:
    """Refuse what is no kind of figure.

    Raises
    ------
    InputError
        If it is none of `KINDS`.
    """
    if kind not in KINDS:
        raise InputError(f"plot: there is no figure {kind!r}{did_you_mean(kind, KINDS)}")
