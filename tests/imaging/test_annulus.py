"""What uneven background adds to a flux: nothing where it is white, its own variance where not."""

from __future__ import annotations

import numpy as np
from photutils.aperture import CircularAnnulus, CircularAperture
from scipy.ndimage import gaussian_filter

from mirical.imaging.annulus import structure_variance

SIZE, MIDDLE = 81, 40.0
FIELDS = 60


def weights() -> np.ndarray:
    """Return the aperture's weights less the annulus's: they sum to zero."""
    shapes = CircularAperture((MIDDLE, MIDDLE), 5.0), CircularAnnulus((MIDDLE, MIDDLE), 8.0, 11.0)
    inside, ring = (s.to_mask(method="exact").to_image((SIZE, SIZE)) for s in shapes)
    return inside - inside.sum() * ring / ring.sum()


def outside(field: np.ndarray) -> np.ndarray:
    """Blank what a star would cover."""
    y, x = np.indices(field.shape)
    return np.where(np.hypot(x - MIDDLE, y - MIDDLE) < 8, np.nan, field)


def test_white_noise_seldom_passes_for_structure():
    """One field in forty is expected to: more than six of sixty by chance in 0.05 % of seeds."""
    random, a = np.random.default_rng(3), weights()
    found = [
        structure_variance(outside(random.normal(size=(SIZE, SIZE))), a, 1.0) for _ in range(FIELDS)
    ]
    assert np.count_nonzero(found) <= 6


def test_structure_adds_the_variance_it_has():
    """Smooth fields of unit variance: the mean is that of the fluxes, 18 % by the seeds' luck."""
    random, a = np.random.default_rng(4), weights()
    fields = [
        gaussian_filter(random.normal(size=(SIZE, SIZE)), 2.5, mode="wrap") for _ in range(FIELDS)
    ]
    fields = [field / np.std(fields) for field in fields]
    found = np.mean([structure_variance(outside(field), a, 0.0) for field in fields])
    response = gaussian_filter(a, 2.5, mode="wrap")
    unit = gaussian_filter(np.eye(1, SIZE**2).reshape(SIZE, SIZE), 2.5, mode="wrap")
    true = np.sum(response**2) / np.sum(unit**2)
    assert abs(found / (true - np.sum(a**2)) - 1) < 0.3
