"""Simulated images of a standard star: star, background, noise and bad pixels.

Good enough to test photometry with; the detector is linear and its noise
white. Everything is in count rates, DN/s/pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from mirical.instruments.miri import miri
from mirical.randomness import generator
from mirical.simulation.scene_psf import scene_psf
from mirical.tables.apertures import published_apertures

Floats = NDArray[np.float64]

SHAPES: dict[str, tuple[int, int]] = {
    "FULL": (1024, 1032),
    "BRIGHTSKY": (512, 512),
    "SUB256": (256, 256),
    "SUB128": (128, 136),
    "SUB64": (64, 72),
    "MASK1065": (224, 288),
    "MASK1140": (224, 288),
    "MASK1550": (224, 288),
    "MASKLYOT": (304, 320),
}
"""Rows and columns of each subarray."""

GAIN = 3.1  # electrons a DN, of the instrument's documentation
READ_NOISE = 14.0  # electrons of one ramp


@dataclass(frozen=True)
class Background:
    """What lies under the star.

    Attributes
    ----------
    level : float
        Mean, DN/s/pixel.
    gradient : (float, float)
        Change along x and y, fraction of the level across the image.
    structure : float
        Standard deviation of its random structure, fraction of the level.
    structure_length : float
        Correlation length of the structure (a Gaussian's sigma), pixel.
    """

    level: float
    gradient: tuple[float, float] = (0.0, 0.0)
    structure: float = 0.0
    structure_length: float = 8.0

    def image(self, shape: tuple[int, int], seed: int) -> Floats:
        """Return the background of an image of that many rows and columns, DN/s/pixel."""
        rows, columns = (np.linspace(-0.5, 0.5, n) for n in shape)
        shade = self.gradient[0] * columns + self.gradient[1] * rows[:, None]
        if self.structure:
            white = generator(seed, "structure").standard_normal(shape)
            smooth = gaussian_filter(white, self.structure_length, mode="wrap")
            shade = shade + self.structure * smooth / smooth.std()
        return self.level * (1 + shade)


@dataclass(frozen=True)
class Scene:
    """One star in one band and subarray.

    Attributes
    ----------
    band, subarray : str
        Filter and subarray.
    rate : float
        Count rate of the whole star, to infinite radius, DN/s.
    background : Background
        What lies under it.
    exposure_time : float
        Seconds of all exposures together.
    seed : int
        Fixes background structure, noise and bad pixels.
    bad_fraction : float
        Share of the pixels that are dead.
    shape : (int, int) or None
        Rows and columns; those of the subarray by default.
    """

    band: str
    subarray: str
    rate: float
    background: Background
    exposure_time: float = 100.0
    seed: int = 0
    bad_fraction: float = 0.0
    shape: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.shape or SHAPES[self.subarray]

    @property
    def aperture_rate(self) -> float:
        """Count rate a photometric aperture finds, annulus subtracted: rate / A_cor, DN/s."""
        return self.rate / published_apertures(miri())[self.band].correction

    def expected(self, x: float, y: float) -> Floats:
        """Return the image without noise, star at (x, y), DN/s/pixel."""
        star = self.rate * scene_psf(self.band).image(self.size, x, y)
        return star + self.background.image(self.size, self.seed)

    def variances(self, expected: Floats, exposures: int = 1) -> tuple[Floats, Floats]:
        """Return photon and read variance of each pixel, (DN/s/pixel)^2.

        Parameters
        ----------
        expected : 2-D array
            Image without noise.
        exposures : int
            How many exposures share the time and are averaged.
        """
        photon = np.maximum(expected, 0) / (GAIN * self.exposure_time)
        read = exposures * (READ_NOISE / (GAIN * self.exposure_time)) ** 2
        return photon, np.full(self.size, read)

    def draw(self, x: float, y: float, purpose: str = "noise") -> tuple[Floats, Floats, Floats]:
        """Return an image with noise, and its photon and read variance; dead pixels are NaN."""
        expected = self.expected(x, y)
        photon, read = self.variances(expected)
        noise = generator(self.seed, purpose).standard_normal(self.size)
        image = expected + np.sqrt(photon + read) * noise
        if self.bad_fraction:
            dead = generator(self.seed, "dead pixels").random(self.size) < self.bad_fraction
            image[dead] = np.nan
        return image, photon, read


def exposure_time(scene: Scene, snr: float) -> float:
    """Return how long a scene must be exposed for a signal-to-noise ratio in its aperture, s.

    Noise of the aperture's and the annulus's pixels: S^2 / (p / t + r / t^2) = snr^2
    solved for t, with p and r the photon and read noise of the sum at 1 s.
    """
    aperture = published_apertures(miri())[scene.band]
    share = aperture.r_a**2 / (aperture.r_b2**2 - aperture.r_b1**2)
    area = np.pi * aperture.r_a**2 * (1 + share)
    signal = scene.aperture_rate
    photon = (signal + scene.background.level * area) / GAIN
    read = area * (READ_NOISE / GAIN) ** 2
    half = photon * (snr / signal) ** 2 / 2
    return float(half + np.sqrt(half**2 + read * (snr / signal) ** 2))
