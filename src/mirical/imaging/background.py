"""Custom background: mean of an observation's exposures in detector coordinates.

How much of the star the mask covers decides what the background takes from the
star: whatever lies outside the mask is subtracted from itself and from the
other exposures. On four simulated dithers 80 pixels apart, without noise, it
changes the flux in Table 4's apertures by

    mask radius          F560W    F1000W    F2550W    F1550C
    0.5 FWHM            -18.9 %   -14.1 %   -12.6 %   -17.1 %
    1 FWHM               -2.6 %    -6.1 %    -0.9 %    -7.5 %
    3 FWHM               +0.1 %    +0.1 %     0.0 %    +0.2 %
    r_b2 + 1 pixel        0.0 %     0.0 %     0.0 %     0.0 %

so the paper's sentence, "the region within the FWHM", cannot be taken at its
word (its authors' code masks 3 FWHM), and the last row is the default: no
pixel of aperture or annulus has light of its own star in its background. At
40 pixels, where the masks leave room, it changes the flux by less than 0.1 %.

On a background with 2 % of structure, under a star as bright as 50 of its pixels,
it brings the error of a mosaic's flux from 6 to 0.14 % in F2550W (0.11 % is the
resampling's) and from 15 to 0.05 % in F1550C. Other sources in the field are not
masked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from stdatamodels.jwst import datamodels

from mirical.errors import InputError
from mirical.imaging.dithers import (
    band_of,
    check_together,
    flag_pixels,
    good_pixels,
    name,
    star_position,
)
from mirical.instruments.miri import miri
from mirical.tables.apertures import published_apertures

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CustomBackground:
    """Background of the exposures of one observation, in the images' own unit.

    Attributes
    ----------
    image : (row, column) array
        Mean of the exposures; NaN where none has a pixel to give.
    offsets : (exposure,) array
        Level of each exposure relative to that mean.
    used : (exposure, row, column) array of bool
        Which pixels entered the mean.
    """

    image: Floats
    offsets: Floats
    used: NDArray[np.bool_]

    def variance(self, i: int, variances: Floats) -> Floats:
        """Return the variance of exposure `i` once its background is subtracted.

        The exposure's own noise is part of its background: with N exposures in
        a pixel's mean, used u = 0 or 1 telling which, and v their variances,

            var(d_i - sum_j u_j d_j / N) = (1 - 2 u_i / N) v_i + sum_j u_j v_j / N^2

        so v (1 - 1/N) beside the star and v (1 + 1/N) under it, for equal v.

        Parameters
        ----------
        i : int
            Which exposure.
        variances : (exposure, row, column) array
            Of all exposures, square of the images' unit.
        """
        count = np.maximum(self.used.sum(axis=0), 1)
        mean = np.where(self.used, variances, 0).sum(axis=0) / count**2
        return (1 - 2 * self.used[i] / count) * variances[i] + mean


def custom_background(
    models: Sequence[datamodels.ImageModel],
    mask_radius: float | None = None,
    match_levels: bool = True,
) -> CustomBackground:
    """Return the mean of the exposures in detector coordinates, each one's star masked.

    Parameters
    ----------
    models : sequence of ImageModel
        Two or more dithered exposures of one observation.
    mask_radius : float, optional
        Radius of the mask in FWHM of the band; by default it reaches a
        pixel beyond the band's background annulus (Table 4's r_b2).
    match_levels : bool
        Whether exposures are brought to one level before the mean, by the
        median of the pixels they have in common: zodiacal light changes.

    Raises
    ------
    InputError
        If there are fewer than two exposures, they do not belong together, a
        background is subtracted already, or the star covers a pixel in all.
    """
    _check(models)
    good = np.array([good_pixels(model) for model in models])
    masks = np.array([_mask(model, mask_radius) for model in models])
    hidden = int(masks.all(axis=0).sum())
    if hidden:
        raise InputError(
            f"{name(models[0])}: {hidden} pixels are under the star's mask in all {len(models)} "
            "exposures, whose dithers are too small for it; give a smaller --mask-radius, or "
            "--background none."
        )
    used = good & ~masks
    stack = np.where(used, [model.data for model in models], 0.0)
    offsets = _levels(stack, used, name(models[0])) if match_levels else np.zeros(len(models))
    offsets = offsets - offsets.mean()
    count = used.sum(axis=0)
    total = np.where(used, stack - offsets[:, None, None], 0.0).sum(axis=0)
    image = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return CustomBackground(image, offsets, used)


def subtract_background(
    models: Sequence[datamodels.ImageModel],
    mask_radius: float | None = None,
    match_levels: bool = True,
) -> list[datamodels.ImageModel]:
    """Return copies of the exposures without their custom background.

    ``meta.background`` says so, with the mean level removed in the image's own
    unit. The variances gain the background's noise and lose what it shares
    with the exposure (`CustomBackground.variance`); that of the flat is left:
    flat errors, the same in all exposures, cancel with the background, so it
    errs on the wide side. A pixel no other exposure can tell the background of
    is flagged DO_NOT_USE. Parameters and errors are those of
    `custom_background`.
    """
    background = custom_background(models, mask_radius, match_levels)
    noises = ("var_poisson", "var_rnoise")
    # Where an exposure's error is missing (zero, or no number), so is its variance.
    variances = {
        key: np.array([np.where(model.err > 0, model[key], np.nan) for model in models], float)
        for key in noises
    }
    unknown = np.isnan(background.image)
    subtracted = []
    for i, model in enumerate(models):
        new = model.copy()
        level = background.image + background.offsets[i]
        new.data = (model.data - level).astype(np.float32)
        for key in noises:
            new[key] = background.variance(i, variances[key]).astype(np.float32)
        new.err = np.sqrt(new.var_poisson + new.var_rnoise + new.var_flat)
        flag_pixels(new, unknown)
        new.meta.background.subtracted = True
        new.meta.background.level = float(np.nanmean(level))
        new.meta.background.method = f"custom mean of {len(models)} exposures"
        subtracted.append(new)
    return subtracted


def _check(models: Sequence[datamodels.ImageModel]) -> None:
    check_together(models)
    if len(models) < 2:
        raise InputError(
            f"{name(models[0])}: the only exposure, but a custom background needs two or more; "
            "give all of the observation, or --background none."
        )
    for model in models:
        if model.meta.background.subtracted:
            raise InputError(
                f"{name(model)}: a background is subtracted already; give --background none."
            )


def _mask(model: datamodels.ImageModel, radius: float | None) -> NDArray[np.bool_]:
    """Return which pixels the star covers, (row, column)."""
    band = band_of(model)
    pixels = (
        published_apertures(miri())[band.name].r_b2 + 1
        if radius is None
        else radius * miri().fwhm(band.name)
    )
    x, y = star_position(model)
    rows, columns = np.indices(model.data.shape)
    return np.hypot(columns - x, rows - y) <= pixels


def _levels(stack: Floats, used: NDArray[np.bool_], where: str) -> Floats:
    """Return the median of each exposure over the pixels that all of them have."""
    common = used.all(axis=0)
    if not common.any():
        raise InputError(
            f"{where}: the exposures have no good pixel in common to match their levels by; give "
            "a smaller --mask-radius, or --background none."
        )
    return np.median(stack[:, common], axis=1)
