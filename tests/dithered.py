"""Four dithered exposures of one simulated star, for the tests of background and mosaic."""

from __future__ import annotations

from functools import cache
from typing import Any

from stdatamodels.jwst import datamodels

from mirical.simulation.scene_images import Target, exposures
from mirical.simulation.scenes import Background, Scene

CENTRE = 64.0
FACTOR = 0.35


def scene(band: str = "F1000W", **changes: Any) -> Scene:
    """Return a star on a quarter of SUB256, exposed so long that noise is nothing."""
    plain: dict[str, Any] = {
        "subarray": "SUB256",
        "rate": 1e4,
        "background": Background(100.0),
        "exposure_time": 1e14,
        "shape": (128, 128),
    }
    return Scene(band, **(plain | changes))


def dithers(
    star: Scene, step: float = 40.0, centre: float = CENTRE, count: int = 4, **target: Any
) -> list[datamodels.ImageModel]:
    """Return exposures with the star at the corners of a square, none on a pixel's centre."""
    made = _made(star, step, centre, count, tuple(target.items()))
    return [model.copy() for model in made]


@cache
def _made(
    star: Scene, step: float, centre: float, count: int, target: tuple[tuple[str, Any], ...]
) -> list[datamodels.ImageModel]:
    """Return the exposures themselves: the data model's validation takes a second each time."""
    half = step / 2
    corners = [(0.2, 0.1, 1, 1), (-0.3, -0.4, -1, 1), (-0.3, 0.3, 1, -1), (0.1, 0.2, -1, -1)]
    at = [(centre + dx + sx * half, centre + dy + sy * half) for dx, dy, sx, sy in corners[:count]]
    return exposures(star, Target(factor=FACTOR, **dict(target)), at)
