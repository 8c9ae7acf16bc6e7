"""Encircled energy against radius, in the manner of the paper's Fig. 2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mirical.bands import BANDS
from mirical.products.canvas import INK, STYLE, blank, png

if TYPE_CHECKING:
    from mirical.products.aperture_study import ApertureStudy

_SHOWN = 1.3  # of the transition
_APART = 0.1  # each band is raised over the one before


def draw_encircled(study: ApertureStudy) -> bytes:
    """Return the figure as PNG."""
    with rc_context(STYLE):
        return png(encircled_figure(study))


def encircled_figure(study: ApertureStudy) -> Figure:
    """Return every observation's curve, bands raised one over the other, and marked radii."""
    bands = [band for band in BANDS if band in study.estimates]
    groups = [[b for b in bands if not BANDS[b].mask], [b for b in bands if BANDS[b].mask]]
    groups = [group for group in groups if group]
    figure = blank(6.2, study.simulated)
    panels = np.atleast_1d(figure.subplots(1, len(groups), sharey=True))
    for axes, group in zip(panels, groups, strict=True):
        for i, band in enumerate(group):
            colour = colormaps["viridis"](0.9 * i / max(len(group) - 1, 1))
            _draw_band(axes, study, band, _APART * i, colour)
            if study.observed[band]:
                ends = study.transitions[band]
                energy = float(study.estimates[band].curves[0].at(ends)) + _APART * i
                axes.plot(ends, energy, "|", color=INK, ms=12)
            end = 1 + _APART * i
            label = band if study.observed[band] else f"{band} (model)"
            axes.annotate(
                label,
                (1.01, end),
                xycoords=("axes fraction", "data"),
                va="center",
                color=colour,
                fontsize=10,
                annotation_clip=False,
            )
        axes.set_xlim(0, _SHOWN * max(study.transitions[band] for band in group))
        axes.set_xlabel("radius (pixel)")
        axes.set_title("coronagraphs" if BANDS[group[0]].mask else "imaging", loc="left")
    panels[0].set_ylabel("encircled energy + offset")
    figure.supxlabel(
        "dots: mean radii with their scatter between observations; bar: the model beyond",
        fontsize=10,
    )
    return figure


def _draw_band(axes: Axes, study: ApertureStudy, band: str, rise: float, colour: object) -> None:
    for curve in study.estimates[band].curves:
        axes.plot(curve.radii, curve.energy + rise, color=colour, lw=1.0)
    means, scatter = study.mean_radii(band)
    axes.errorbar(
        means,
        np.array(study.fractions) + rise,
        xerr=scatter if study.observed[band] > 1 else None,
        fmt="o",
        ms=3,
        color=INK,
        lw=1.2,
        ls="none",
    )
