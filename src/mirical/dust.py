"""Infrared colours of warm dust around a star."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_SECOND_RADIATION = 14387.77  # hc/k, micron K


def dust_over_star(wavelength: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Return the excess of dust as a fraction of the star, up to a constant factor.

    Parameters
    ----------
    wavelength : array_like [micron]
        Pivot wavelengths.
    temperature : float [K]
        Of the dust: lambda^-1 / (exp(hc / lambda k T) - 1).
    """
    at = np.asarray(wavelength, dtype=float)
    with np.errstate(over="ignore"):  # dust has no ultraviolet light: its share there is zero
        return 1 / (at * np.expm1(_SECOND_RADIATION / (at * temperature)))
