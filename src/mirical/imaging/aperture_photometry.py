"""Aperture photometry of one image: flux, background, error and flags (section 2.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.convolution import Gaussian2DKernel, interpolate_replace_nans
from astropy.nddata import Cutout2D
from astropy.stats import mad_std
from numpy.typing import NDArray
from photutils.aperture import CircularAnnulus, CircularAperture
from scipy.ndimage import gaussian_filter, median_filter

from mirical.imaging.annulus import (
    LEAST_ANNULUS,
    SkyAnnulus,
    field_around,
    measure_annulus,
    structure_variance,
)
from mirical.imaging.image_files import Unmeasurable
from mirical.imaging.images import Image
from mirical.imaging.missing_errors import fill_errors
from mirical.imaging.star_finding import Position, locate
from mirical.tables.apertures import Aperture

Floats = NDArray[np.float64]

MOST_INTERPOLATED = 0.05
"""Share of the aperture that may be interpolated."""

CORE = 1.5
"""Pixels from the centroid within which none may be."""

CROWDED = 0.05
"""Peak of a neighbour, as a share of the star's, from which the row is flagged."""

_KNOTS = 0.75  # pixel


@dataclass(frozen=True)
class Measurement:
    """The photometry of one image.

    Attributes
    ----------
    position : Position
        Where the star is.
    aperture_sum : float
        Sum over the aperture, exact partial pixels, background included, DN/s.
    iflux, ifluxunc : float
        Count rate of the star in the aperture and its error, DN/s.
    background : SkyAnnulus
        What the annulus says.
    noise_unc, background_unc, structure_unc : float
        Parts of the error: the pipeline's ERR in the aperture; the mean of the annulus; what
        the background's structure adds, DN/s.
    pixrate : float
        Brightest pixel of the core, background included, DN/s.
    interpolated : int
        Pixels of the aperture that were filled in.
    without_error : int
        Pixels of the aperture whose error was filled in; see `missing_errors`.
    flag, reason : str
        Why the row should not be fitted; empty where it may be.
    """

    position: Position
    aperture_sum: float
    iflux: float
    ifluxunc: float
    background: SkyAnnulus
    noise_unc: float
    background_unc: float
    structure_unc: float
    pixrate: float
    interpolated: int
    without_error: int = 0
    flag: str = ""
    reason: str = ""


@dataclass(frozen=True)
class _Cut:
    """The neighbourhood of a star: pixels, offsets from it, and the shares of each pixel."""

    data: Floats
    err: Floats
    x: Floats
    y: Floats
    inside: Floats
    annulus: Floats

    @property
    def radius(self) -> Floats:
        return np.hypot(self.x, self.y)


def measure(image: Image, aperture: Aperture) -> Measurement:
    """Measure a star in its band's aperture.

    The error is sqrt(sum w^2 ERR^2 + (A level_unc)^2 + structure), w the share
    of each pixel in the aperture and A their sum: ERR holds the noise of star
    and background in the aperture, the second term the noise of the annulus's
    mean, the third what uneven background adds (`structure_variance`).

    Parameters
    ----------
    image : Image
        The image.
    aperture : Aperture
        Radii in nominal pixels.

    Raises
    ------
    Unmeasurable
        If the star is not found, lies on the edge, or lacks too many pixels.
    """
    r_a, r_b1, r_b2 = (r / image.scale for r in (aperture.r_a, aperture.r_b1, aperture.r_b2))
    position = locate(image, r_a, r_b2)
    _refuse_edge(image, position, r_a)
    cut = _cut_out(image, position, (r_a, r_b1, r_b2))
    every_err, n_without = fill_errors(cut.data, cut.err, cut.inside)
    filled, err, n_filled = _fill(cut, every_err, r_a)
    around = _background(cut)
    area = float(np.sum(cut.inside))
    total = float(np.sum(cut.inside * filled))
    noise = float(np.sum((cut.inside * err) ** 2))
    ring = (cut.annulus > 0) & np.isfinite(cut.err)
    white = max(around.scatter**2, float(np.median(cut.err[ring] ** 2)) if np.any(ring) else 0.0)
    level_unc = around.level_unc * np.sqrt(white) / (around.scatter or 1.0)
    measure_of = cut.inside - area * cut.annulus / np.sum(cut.annulus)
    field = field_around(cut.data, cut.x, cut.y, r_b1, 2 * r_b2)
    structure = structure_variance(field, measure_of, white)
    flag, reason = _doubts(image, cut, position, around)
    core = filled[(cut.radius < max(CORE, 0.5 * r_a)) & np.isfinite(filled)]
    return Measurement(
        position=position,
        aperture_sum=total,
        iflux=total - area * around.level,
        ifluxunc=float(np.sqrt(noise + (area * level_unc) ** 2 + structure)),
        background=around,
        noise_unc=float(np.sqrt(noise)),
        background_unc=float(area * level_unc),
        structure_unc=float(np.sqrt(structure)),
        pixrate=float(np.max(core)) + image.exposure.subtracted,
        interpolated=n_filled,
        without_error=n_without,
        flag=flag,
        reason=reason,
    )


def _refuse_edge(image: Image, position: Position, r_a: float) -> None:
    rows, columns = image.data.shape
    room = min(position.x, position.y, columns - 1 - position.x, rows - 1 - position.y) + 0.5
    if room < r_a:
        raise Unmeasurable(
            f"the star at pixel ({position.x:.1f}, {position.y:.1f}) is {room:.1f} pixels from the "
            f"edge, nearer than its aperture's radius {r_a:.2f}"
        )


def _cut_out(image: Image, position: Position, radii: tuple[float, float, float]) -> _Cut:
    r_a, r_b1, r_b2 = radii
    size = 2 * int(np.ceil(2 * r_b2)) + 3
    at = round(position.x), round(position.y)
    pixels = {"mode": "partial", "fill_value": np.nan}
    data = Cutout2D(image.data, at, size, **pixels).data
    err = Cutout2D(image.err, at, size, **pixels).data
    middle = size // 2 + position.x - at[0], size // 2 + position.y - at[1]
    y, x = np.indices(data.shape, dtype=float)
    shares = [
        shape.to_mask(method="exact").to_image(data.shape)
        for shape in (CircularAperture(middle, r_a), CircularAnnulus(middle, r_b1, r_b2))
    ]
    return _Cut(data, err, x - middle[0], y - middle[1], shares[0], shares[1])


def _fill(cut: _Cut, known_err: Floats, r_a: float) -> tuple[Floats, Floats, int]:
    """Return data and errors with the aperture's gaps filled, and how many there were.

    A gap gets the mean radial profile there plus the neighbours' departure
    from it; its error is the scatter of such departures at that radius.
    """
    inside = cut.inside > 0
    gaps = inside & ~np.isfinite(cut.data)
    err = known_err.copy()
    if not np.any(gaps):
        return np.where(inside, cut.data, 0.0), np.where(inside, err, 0.0), 0
    share = float(np.sum(cut.inside[gaps]) / np.sum(cut.inside))
    if share > MOST_INTERPOLATED:
        raise Unmeasurable(
            f"{100 * share:.0f} % of the aperture has no data; up to "
            f"{100 * MOST_INTERPOLATED:.0f} % could be interpolated"
        )
    if np.any(gaps & (cut.radius < CORE)):
        raise Unmeasurable("pixels in the star's core have no data (saturated or bad)")
    known = np.isfinite(cut.data) & (cut.radius < r_a + 4)
    profile = _profile(cut.data, cut.radius, known)
    departure = np.where(known, cut.data - profile, 0.0)
    smooth = interpolate_replace_nans(np.where(gaps, np.nan, departure), Gaussian2DKernel(1.0))
    data = np.where(gaps, profile + np.nan_to_num(smooth), cut.data)
    for row, column in np.argwhere(gaps):
        near = known & (np.abs(cut.radius - cut.radius[row, column]) < 1)
        err[row, column] = np.hypot(np.nanmedian(err[near]), np.std(departure[near]))
    return np.where(inside, data, 0.0), np.where(inside, err, 0.0), int(gaps.sum())


def _background(cut: _Cut) -> SkyAnnulus:
    valid = np.isfinite(cut.data)
    share = float(np.sum(cut.annulus[valid]) / np.sum(cut.annulus))
    if share < LEAST_ANNULUS:
        raise Unmeasurable(
            f"only {100 * share:.0f} % of the background annulus has data; at least "
            f"{100 * LEAST_ANNULUS:.0f} % are needed"
        )
    return measure_annulus(cut.data, cut.annulus, cut.x, cut.y)


def _doubts(image: Image, cut: _Cut, position: Position, around: SkyAnnulus) -> tuple[str, str]:
    """Return a flag and its reason: saturated or crowded, or neither."""
    rows, columns = np.ogrid[: image.data.shape[0], : image.data.shape[1]]
    size = float(np.sqrt(np.sum(cut.inside) / np.pi))
    near = np.hypot(columns - position.x, rows - position.y) < size
    n_saturated = int(np.sum(image.saturated & near))
    if n_saturated:
        return "saturated", f"{n_saturated} pixels of the aperture are saturated"
    neighbour = _neighbour(cut, size, around)
    if neighbour > CROWDED:
        return (
            "crowded",
            f"a neighbour {100 * neighbour:.0f} % as bright lies in the annulus or inside it",
        )
    return "", ""


def _neighbour(cut: _Cut, r_a: float, around: SkyAnnulus) -> float:
    """Return the peak of the brightest neighbour over the star's, both smoothed alike; 0 if none.

    The star's mean radial profile is taken off first; what stands out beyond
    the aperture's edge by eight times the usual scatter there is a neighbour.
    """
    light = median_filter(np.nan_to_num(cut.data, nan=around.level), 3) - around.level
    zone = (cut.radius > r_a) & (cut.radius < np.max(cut.radius[cut.annulus > 0]) + r_a)
    star = float(np.max(gaussian_filter(light, 0.25 * r_a)[cut.radius < 0.5 * r_a]))
    beside = np.where(zone, light - _profile(light, cut.radius, zone), 0.0)
    smooth = gaussian_filter(beside, 0.25 * r_a)[zone]
    peak = float(np.max(smooth))
    return peak / star if peak > 8 * mad_std(smooth) and star > 0 else 0.0


def _profile(data: Floats, radius: Floats, known: NDArray[np.bool_]) -> Floats:
    """Return the image of the radial profile, linear between knots, that fits the known pixels."""
    knots = np.arange(np.min(radius[known]) // _KNOTS, np.max(radius[known]) // _KNOTS + 2) * _KNOTS
    hats = np.maximum(0, 1 - np.abs(radius[..., None] - knots) / _KNOTS)
    # Knots without pixels are held by the faintest of weights.
    steady = np.vstack([hats[known], 1e-6 * np.eye(len(knots))])
    height, *_ = np.linalg.lstsq(steady, np.r_[data[known], np.zeros(len(knots))], rcond=None)
    return hats @ height
