"""Encircled energy: the observed profile inside a radius, a model's outside (section 2.1).

The background under a star cannot be told from its far wings, and a model
does not know the detector's core. So the observed profile is tied to the
model's over a ring: inside the ring's outer edge the observation counts,
outside it the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from photutils.aperture import CircularAperture
from scipy.interpolate import PchipInterpolator

from mirical.errors import InputError
from mirical.instruments.miri import miri
from mirical.tables.apertures import (
    ANNULUS_FRACTIONS,
    APERTURE_FRACTION,
    Aperture,
    published_apertures,
)

Floats = NDArray[np.float64]

_TRANSITION = 40.0  # pixels (4.4 arcsec), the paper's for all bands
_CLEAR = 2.2  # transition over the annulus's outer radius: the ring that ties is outside of it

_TIED = 0.5  # the ring that ties observation to model begins at this share of the transition
_STEP = 0.25  # pixel between radii
_LEAST_VALID = 0.5  # share of a thin annulus that must hold data


@dataclass(frozen=True)
class EnergyCurve:
    """Share of a star's flux inside each radius.

    Attributes
    ----------
    radii : (radius,) array
        Ascending from zero, nominal pixels.
    energy : (radius,) array
        Share of the flux inside; one at infinity.
    """

    radii: Floats
    energy: Floats

    @cached_property
    def _smooth(self) -> PchipInterpolator:
        return PchipInterpolator(self.radii, self.energy, extrapolate=False)

    def at(self, radius: float | Floats) -> Floats:
        """Return the encircled energy inside a radius in pixels."""
        return self._smooth(radius)

    def radius(self, fraction: float) -> float:
        """Return the smallest radius in pixels that encloses a fraction of the flux.

        Raises
        ------
        ValueError
            If the curve does not reach it.
        """
        crossings = self._smooth.solve(fraction, extrapolate=False)
        if not len(crossings):
            raise ValueError(f"the encircled energy does not reach {fraction:g}")
        return float(crossings[0])

    def aperture(self) -> Aperture:
        """Return the radii enclosing 70, 80 and 85 %."""
        r_a, r_b1, r_b2 = (self.radius(f) for f in (APERTURE_FRACTION, *ANNULUS_FRACTIONS))
        return Aperture(r_a, r_b1, r_b2)

    def correction(self, aperture: Aperture) -> float:
        """Return the correction to infinite aperture of an aperture and annulus as they are.

        Eq. (1)-(2) with this curve's own energies in place of 0.7, 0.8 and 0.85.
        """
        inside, inner, outer = self.at(np.array([aperture.r_a, aperture.r_b1, aperture.r_b2]))
        spilt = (outer - inner) * aperture.r_a**2 / (aperture.r_b2**2 - aperture.r_b1**2)
        return float(1 / (inside - spilt))


def usual_transition(band: str) -> float:
    """Return the radius in pixels inside which the observation of a band counts.

    The paper's 40 pixels, and more where the annulus of Table 4 would reach
    into the ring that ties observation to model: the coronagraph bands, whose
    steep profile there would cost up to 0.3 pixel in the outer radius.
    """
    return max(_TRANSITION, _CLEAR * published_apertures(miri())[band].r_b2)


def model_curve(psf: Floats, x: float, y: float, scale: float = 1.0) -> EnergyCurve:
    """Return the encircled energy of a model PSF.

    Parameters
    ----------
    psf : (y, x) array
        Share of the flux in each pixel; what is missing from one lies outside the image.
        Other units are normalised to one.
    x, y : float
        Its centre, pixel.
    scale : float
        Side of its pixels over a nominal one.
    """
    total = float(np.nansum(psf))
    # PSF programs leave out what falls off their image; they never make more than one.
    share = psf if 0.5 < total <= 1 + 1e-6 else psf / total
    reach = scale * (min(x, y, psf.shape[1] - 1 - x, psf.shape[0] - 1 - y) + 0.5)
    radii = np.arange(0.0, reach, _STEP)
    sums = [0.0]
    for radius in radii[1:]:
        circle = CircularAperture((x, y), radius / scale)
        sums.append(float(circle.do_photometry(share, method="exact")[0][0]))
    return EnergyCurve(radii, np.array(sums))


def observed_curve(
    image: Floats, x: float, y: float, model: EnergyCurve, transition: float, pixel: float = 1.0
) -> EnergyCurve:
    """Return the encircled energy observed inside a radius, continued by a model.

    Over the ring from half the transition to it, the observed means of thin
    annuli are fitted by scale times the model's plus a constant, the
    background. Pixels without data get their annulus's mean.

    Parameters
    ----------
    image : (y, x) array
        Count rates, background in it or not; NaN where there is no data.
    x, y : float
        The star's centre, pixel.
    model : EnergyCurve
        Of the model PSF; must reach beyond the transition.
    transition : float
        Radius in nominal pixels from which the model counts.
    pixel : float
        Side of the image's pixels over a nominal one.

    Raises
    ------
    InputError
        If image or model do not reach the transition, or an annulus has too little data.
    """
    radii = np.arange(0.0, transition + _STEP / 2, _STEP)
    room = pixel * (min(x, y, image.shape[1] - 1 - x, image.shape[0] - 1 - y) + 0.5)
    for what, reach in (("image", room), ("model PSF", float(model.radii[-1]))):
        if reach < radii[-1]:
            raise InputError(
                f"the {what} reaches {reach:.1f} pixels from the star; the transition is at "
                f"{transition:g}: choose a smaller --transition or a larger image."
            )
    means, areas = _annulus_means(image, x, y, radii / pixel)
    expected = np.diff(model.at(radii)) / areas
    ring = radii[:-1] >= _TIED * transition
    terms = np.stack([expected, np.ones_like(expected)], axis=-1) * np.sqrt(areas)[:, None]
    (scale, background), *_ = np.linalg.lstsq(
        terms[ring], (means * np.sqrt(areas))[ring], rcond=None
    )
    if not scale > 0:
        raise InputError(
            "the observed profile does not fall with the model's towards the transition; "
            "is the star bright enough, and the field empty?"
        )
    inside = np.r_[0.0, np.cumsum((means - background) / scale * areas)]
    outside = model.radii > radii[-1]
    # The observation stands for the model's share inside: one is what both make together.
    total = inside[-1] + 1 - float(model.at(radii[-1]))
    beyond = inside[-1] + model.energy[outside] - float(model.at(radii[-1]))
    return EnergyCurve(np.r_[radii, model.radii[outside]], np.r_[inside, beyond] / total)


def _annulus_means(image: Floats, x: float, y: float, radii: Floats) -> tuple[Floats, Floats]:
    """Return the mean of each thin annulus over its valid pixels, and its area."""
    valid = np.isfinite(image)
    filled = np.where(valid, image, 0.0)
    sums, covered = [0.0], [0.0]
    for radius in radii[1:]:
        circle = CircularAperture((x, y), radius)
        sums.append(float(circle.do_photometry(filled, method="exact")[0][0]))
        covered.append(float(circle.do_photometry(valid.astype(float), method="exact")[0][0]))
    areas = np.pi * np.diff(radii**2)
    share = np.diff(covered) / areas
    if np.any(share < _LEAST_VALID):
        where = radii[1:][share < _LEAST_VALID][0]
        raise InputError(
            f"less than half of the annulus at {where:g} pixels from the star has data; "
            "the encircled energy cannot be measured."
        )
    return np.diff(sums) / (share * areas), areas


@dataclass(frozen=True)
class ApertureEstimate:
    """Aperture and correction of a band from repeated observations.

    Attributes
    ----------
    aperture : Aperture
        Mean radii with their scatter, and the scatter of the correction.
    covariance : (4, 4) array
        Of r_a, r_b1, r_b2 [pixel] and the correction by Eq. (1)-(2) between observations.
    fixed_correction : float
        Mean correction of the mean aperture, by each observation's own energies.
    fixed_correction_unc : float
        Its scatter: what matters to photometry, whose aperture is fixed.
    curves : tuple of EnergyCurve
        One an observation.
    """

    aperture: Aperture
    covariance: NDArray[np.float64]
    fixed_correction: float
    fixed_correction_unc: float
    curves: tuple[EnergyCurve, ...]


def combine(curves: Sequence[EnergyCurve]) -> ApertureEstimate:
    """Return mean radii and correction of repeated observations, and how they scatter together.

    The scatter is that of one observation, as in Table 4, not of the mean.
    One observation has none: its uncertainties are NaN, not zero.
    """
    each = [curve.aperture() for curve in curves]
    found = np.array([(a.r_a, a.r_b1, a.r_b2, a.correction) for a in each])
    mean = found.mean(axis=0)
    known = len(curves) > 1
    covariance = np.cov(found.T) if known else np.full((4, 4), np.nan)
    radii = Aperture(*mean[:3])
    fixed = np.array([curve.correction(radii) for curve in curves])
    fixed_unc = float(fixed.std(ddof=1)) if known else np.nan
    scatter = np.sqrt(np.diag(covariance))
    aperture = Aperture(*mean[:3], *scatter[:3], stated_correction_unc=fixed_unc)
    return ApertureEstimate(aperture, covariance, float(fixed.mean()), fixed_unc, tuple(curves))
