"""Star finding: the brightest source near the expected position, by its centre of mass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.nddata import Cutout2D
from astropy.stats import mad_std, sigma_clipped_stats
from numpy.typing import NDArray
from photutils.aperture import CircularAperture
from photutils.centroids import centroid_com
from scipy.ndimage import uniform_filter

from mirical.imaging.image_files import Unmeasurable
from mirical.imaging.images import Image

Floats = NDArray[np.float64]

NEAR = 14.0
"""Pixels (1.5 arcsec) within which pointing usually leaves the star."""

_SIGNIFICANT = 5.0  # a source's mean over 3 x 3 pixels, in standard deviations of such means
_WINDOW = 0.8  # radius of the centroid's window over that of the aperture
_STEPS = 30
_SETTLED = 1e-4  # pixel


class NoSource(Unmeasurable):
    """Nothing stands out where the star should be."""


@dataclass(frozen=True)
class Position:
    """The star's position.

    Attributes
    ----------
    x, y : float
        Centroid, pixel; the first pixel's centre is (0, 0).
    offset : float
        Distance from the expected position, pixel; NaN if none lies in the image.
    note : str
        How it was found, if not near the expected position.
    """

    x: float
    y: float
    offset: float
    note: str = ""


def locate(image: Image, r_a: float, r_b2: float) -> Position:
    """Find the star: near where it should be, else in the wider field the paper searches.

    In SUB64 the coordinates may fall outside the image altogether; there the
    brightest source of the image is taken, as the paper's code does.

    Parameters
    ----------
    image : Image
        Where to look.
    r_a, r_b2 : float
        Radius of the aperture, outer radius of the annulus, pixel.

    Raises
    ------
    NoSource
        If nothing stands out of the background.
    Unmeasurable
        If the star lies off the image.
    """
    rows, columns = image.data.shape
    inside = [
        (x, y) for x, y in image.expected if -0.5 < x < columns - 0.5 and -0.5 < y < rows - 0.5
    ]
    fields = [(*position, NEAR, "") for position in inside]
    fields += [(*position, 4 * r_b2, "far from its coordinates") for position in inside[:1]]
    if not inside and image.exposure.subarray == "SUB64":
        note = "coordinates off the image: brightest source taken"
        fields = [(columns / 2, rows / 2, float(rows + columns), note)]
    elif not image.expected:
        raise Unmeasurable("states no coordinates of its target (TARG_RA and TARG_DEC)")
    elif not inside:
        where = ", ".join(f"({x:.0f}, {y:.0f})" for x, y in image.expected[:1])
        raise Unmeasurable(
            f"the star is off the image: expected at pixel {where} of {columns} x {rows}"
        )
    means = _means(image.data)
    for x, y, reach, note in fields:
        peak = _brightest(means, x, y, reach, r_a)
        if peak is not None:
            at_x, at_y = centre_of_mass(image.data, peak, _WINDOW * r_a)
            offset = float(np.hypot(at_x - x, at_y - y)) if inside else np.nan
            return Position(at_x, at_y, offset, note)
    raise NoSource(
        f"no source above {_SIGNIFICANT:.0f} sigma within {fields[-1][2]:.0f} pixels of the target"
    )


def _means(data: Floats) -> Floats:
    """Return the mean of the valid pixels of each 3 x 3 square: one hot pixel is no star."""
    good = np.isfinite(data)
    share = uniform_filter(good.astype(float), 3, mode="constant")
    total = uniform_filter(np.where(good, data, 0.0), 3, mode="constant")
    return np.where(share > 0.5, total / np.maximum(share, 1e-9), np.nan)


def _brightest(
    means: Floats, x: float, y: float, reach: float, r_a: float
) -> tuple[int, int] | None:
    """Return the brightest pixel within reach, if it stands out of the sloping background."""
    size = 2 * int(np.ceil(min(reach, max(means.shape)) + 3 * r_a)) + 1
    cut = Cutout2D(means, (x, y), size, mode="trim")
    rows, columns = np.ogrid[: cut.data.shape[0], : cut.data.shape[1]]
    at = cut.to_cutout_position((x, y))
    near = np.hypot(columns - at[0], rows - at[1]) <= reach
    flat = _without_slope(cut.data)
    if not np.any(near & np.isfinite(flat)):
        return None
    row, column = np.unravel_index(
        np.argmax(np.where(near & np.isfinite(flat), flat, -np.inf)), flat.shape
    )
    around = Cutout2D(flat, (column, row), 4 * round(r_a) + 1, mode="partial", fill_value=np.nan)
    _, middle, spread = sigma_clipped_stats(around.data, mask=~np.isfinite(around.data), sigma=3.0)
    if not flat[row, column] > middle + _SIGNIFICANT * spread:
        return None
    found = cut.to_original_position((int(column), int(row)))
    return int(found[0]), int(found[1])


def _without_slope(data: Floats) -> Floats:
    """Subtract the plane that fits the image once its sources are clipped."""
    rows, columns = np.indices(data.shape, dtype=float)
    terms = np.stack([np.ones(data.shape), columns, rows], axis=-1)
    used = np.isfinite(data)
    left = data
    for _ in range(4):
        if used.sum() < 10:
            break
        fitted, *_ = np.linalg.lstsq(terms[used], data[used], rcond=None)
        left = data - terms @ fitted
        middle, spread = np.median(left[used]), mad_std(left[used])
        used = np.isfinite(data) & (np.abs(left - middle) <= 3 * spread)
    return left


def centre_of_mass(data: Floats, peak: tuple[int, int], radius: float) -> tuple[float, float]:
    """Move a round window to the centre of mass it holds until it stays.

    Parameters
    ----------
    data : (y, x) array
        Image; a sloping background does no harm.
    peak : (int, int)
        Pixel ``(x, y)`` to begin at.
    radius : float
        Of the window, pixel.
    """
    half = int(np.ceil(2.5 * radius)) + 3
    cut = Cutout2D(data, peak, 2 * half + 1, mode="partial", fill_value=np.nan)
    light = np.nan_to_num(_without_slope(cut.data))
    x, y = cut.to_cutout_position(peak)
    for _ in range(_STEPS):
        window = CircularAperture((x, y), radius).to_mask(method="exact").to_image(light.shape)
        if window is None:
            break
        moved = centroid_com(np.maximum(light, 0) * window)
        # A window's own edge holds its centre back: the star is about twice as far.
        step = 1.5 * (moved - (x, y))
        if not np.all(np.isfinite(step)):
            break
        x, y = x + step[0], y + step[1]
        if np.hypot(*step) < _SETTLED:
            break
    found = cut.to_original_position((x, y))
    return float(found[0]), float(found[1])
