"""A picture of what was measured in an image, in the manner of the paper's Fig. 3."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.nddata import Cutout2D
from astropy.visualization import simple_norm
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from numpy.typing import NDArray

from mirical.observations.apertures import Aperture
from mirical.observations.images import Image
from mirical.observations.photometry import Measurement
from mirical.products.canvas import INK, PUBLISHED, STYLE, blank, png
from mirical.text import drawn_text

_LONGEST_NAME = 60
_HEIGHT = 5.2  # inch
_RING = "#7FD4FF"  # seen on the map's dark and bright end
_LARGEST = 600  # pixels drawn along a side of the whole image


def draw_picture(
    image: Image, aperture: Aperture, found: Measurement, stem: str, folder: Path
) -> None:
    """Write ``STEM.png`` into a folder: the whole image, and the star with what was summed.

    Parameters
    ----------
    image : Image
        What was measured.
    aperture : Aperture
        Radii in nominal pixels.
    found : Measurement
        The result.
    stem : str
        Name of the image without its ending, no other's; folders in it become part of the
        picture's own name.
    folder : Path
        An existing folder.
    """
    with rc_context(STYLE):
        name = stem.replace("/", "__")
        (folder / f"{name}.png").write_bytes(png(picture(image, aperture, found, stem)))


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
