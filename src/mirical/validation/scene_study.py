"""Random simulated images to test photometry on, kept in memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mirical.imaging.image_headers import Exposure
from mirical.imaging.images import Image
from mirical.instruments.miri import miri
from mirical.simulation.scenes import SHAPES, Background, Scene, exposure_time
from mirical.tables.apertures import published_apertures

SMALL = (256, 256)
"""FULL and BRIGHTSKY are drawn this large: photometry looks no farther."""


def image_of(scene: Scene, at: tuple[float, float]) -> Image:
    """Return the image of a scene with the star at ``(x, y)``, without going through a file."""
    data, photon, read = scene.draw(*at)
    exposure = Exposure(
        "star", "1", scene.band, scene.subarray, 59800.0, 20.0, np.nan, 0.0, True, ""
    )
    saturated = np.zeros(data.shape, dtype=bool)
    return Image(data, np.sqrt(photon + read), saturated, exposure, (at,), 1.0)


def random_scene(
    band: str, subarray: str, random: np.random.Generator, uneven: bool
) -> tuple[Scene, tuple[float, float]]:
    """Return a scene of S/N 50 to 1000 and the star's sub-pixel position.

    The aperture holds 0.1 to 100 times as much background as star. Where it is
    uneven, it slopes by 10 % over the image and has structure whose rms times
    the aperture's area is one to three times the photometric error.
    """
    aperture = published_apertures(miri())[band]
    area = np.pi * aperture.r_a**2
    snr = np.exp(random.uniform(np.log(50), np.log(1000)))
    rate = 10 ** random.uniform(3, 5.5)
    star = rate / aperture.correction
    level = 10 ** random.uniform(-1, 2) * star / area
    shape = SMALL if subarray in ("FULL", "BRIGHTSKY") else SHAPES[subarray]
    seed = int(random.integers(2**31))
    scene = Scene(band, subarray, rate, Background(level), seed=seed, shape=shape)
    scene = replace(scene, exposure_time=exposure_time(scene, snr))
    if uneven:
        slope = tuple(random.normal(0, 0.1, 2))
        structure = random.uniform(1, 3) * star / snr / area / level
        length = random.uniform(2, 10)
        scene = replace(scene, background=Background(level, slope, structure, length))
    middle = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    return scene, (middle[0] + random.uniform(-1, 1), middle[1] + random.uniform(-1, 1))


def subarrays_of(band: str) -> tuple[str, ...]:
    """Return the subarrays a band is observed in."""
    mask = miri().bands[band].mask
    return (mask,) if mask else miri().subarrays
