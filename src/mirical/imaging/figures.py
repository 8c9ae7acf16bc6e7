"""Figures of images: encircled energy (as paper Fig. 2), a star with its aperture (Fig. 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mirical.instruments.miri import miri
from mirical.plotting.canvas import INK, STYLE, blank, labelled, png

if TYPE_CHECKING:
    from mirical.imaging.measured_apertures import ApertureStudy


from astropy.nddata import Cutout2D
from astropy.visualization import simple_norm
from matplotlib.patches import Circle, Rectangle
from numpy.typing import NDArray

from mirical.imaging.aperture_photometry import Measurement
from mirical.imaging.images import Image
from mirical.plotting.canvas import PUBLISHED
from mirical.tables.apertures import Aperture
from mirical.text import drawn_text

_SHOWN = 1.3  # of the transition
_APART = 0.1  # each band is raised over the one before
_LONGEST_NAME = 60
_HEIGHT = 5.2  # inch
_RING = "#7FD4FF"  # seen on the map's dark and bright end
_LARGEST = 600  # pixels drawn along a side of the whole image


def draw_encircled(study: ApertureStudy) -> bytes:
    """Return the figure as PNG, the study's provenance in its text."""
    with rc_context(STYLE):
        return labelled(png(encircled_figure(study)), study.record())


def encircled_figure(study: ApertureStudy) -> Figure:
    """Return every observation's curve, bands raised one over the other, and marked radii."""
    bands = [band for band in miri().bands if band in study.estimates]
    groups = [
        [b for b in bands if not miri().bands[b].mask],
        [b for b in bands if miri().bands[b].mask],
    ]
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
        axes.set_title("coronagraphs" if miri().bands[group[0]].mask else "imaging", loc="left")
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


def draw_picture(
    image: Image,
    aperture: Aperture,
    found: Measurement,
    stem: str,
    about: Mapping[str, Any],
) -> bytes:
    """Return a PNG of the whole image, and of the star with what was summed.

    Parameters
    ----------
    image : Image
        What was measured.
    aperture : Aperture
        Radii in nominal pixels.
    found : Measurement
        The result.
    stem : str
        Name of the image without its ending.
    about : mapping
        Provenance, for the text of the PNG file.
    """
    with rc_context(STYLE):
        return labelled(png(picture(image, aperture, found, stem)), about)


def picture(image: Image, aperture: Aperture, found: Measurement, stem: str) -> Figure:
    """Return the figure `draw_picture` writes."""
    exposure = image.exposure
    figure = blank(_HEIGHT, exposure.simulated)
    whole, near = figure.subplots(1, 2)
    r_a, r_b1, r_b2 = (r / image.scale for r in (aperture.r_a, aperture.r_b1, aperture.r_b2))
    x, y = found.position.x, found.position.y
    half = round(1.5 * r_b2)
    step = -(-max(image.data.shape) // _LARGEST)
    rows, columns = image.data.shape
    extent = (-0.5, columns - 0.5, -0.5, rows - 0.5)
    _show(whole, image.data[::step, ::step], 99.5, extent)
    whole.add_patch(Rectangle((x - half, y - half), 2 * half, 2 * half, fill=False, ec=PUBLISHED))
    star, file = (drawn_text(name, _LONGEST_NAME) for name in (exposure.name, stem))
    whole.set_title(f"{star}, {exposure.band}, {exposure.subarray}", loc="left")
    cut = Cutout2D(
        image.data, (round(x), round(y)), 2 * half + 1, mode="partial", fill_value=np.nan
    )
    left, below = round(x) - half, round(y) - half
    _show(
        near,
        cut.data,
        99.8,
        (left - 0.5, left + 2 * half + 0.5, below - 0.5, below + 2 * half + 0.5),
    )
    for radius, colour, style in ((r_a, "white", "-"), (r_b1, _RING, "--"), (r_b2, _RING, "--")):
        near.add_patch(Circle((x, y), radius, fill=False, ec=colour, ls=style, lw=1.6))
    near.plot(x, y, "+", color=INK, ms=11, mew=1.6)
    error = 100 * found.ifluxunc / abs(found.iflux)
    near.set_title(f"{found.iflux:.5g} DN/s, error {error:.2g} %", loc="left")
    figure.supxlabel(
        f"{file}: aperture (white), background annulus (blue), centroid (cross); pixels"
        + (f"\n{found.flag}: {drawn_text(found.reason)}" if found.flag else ""),
        fontsize=10,
    )
    return figure


def _show(
    axes: object, data: NDArray[np.float64], percent: float, extent: tuple[float, ...]
) -> None:
    norm = simple_norm(data[np.isfinite(data)], "asinh", percent=percent)
    axes.imshow(  # type: ignore[attr-defined]
        data, norm=norm, origin="lower", extent=extent, interpolation="nearest", cmap="cividis"
    )
