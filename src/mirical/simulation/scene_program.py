"""A simulated program as images: one mosaic a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy.table import QTable

from mirical.instruments.miri import miri
from mirical.laws.timelaw import ADDITIVE
from mirical.randomness import generator
from mirical.simulation.errors_and_faults import Errors
from mirical.simulation.scene_images import Target, mosaic
from mirical.simulation.scenes import SHAPES, Background, Scene, exposure_time
from mirical.simulation.simulated_program import SimulatedProgram, simulate_program
from mirical.simulation.truth import published_coefficients
from mirical.tables.apertures import ANNULUS_FRACTIONS, published_apertures

LARGEST = 256
"""Rows and columns of a mosaic at most: FULL and BRIGHTSKY are cut to it, for files' sake."""

_SLOPE, _STRUCTURE = 0.03, 0.002  # of the background: across the image, and its rms


def scene_program(seed: int, truth: str = "published", law: str = ADDITIVE) -> SimulatedProgram:
    """Return a simulated program whose rows hold no photometric error: the pixels will."""
    return simulate_program(seed, truth, errors=Errors(photometry=0.0), law=law)


def write_mosaics(
    program: SimulatedProgram, rows: Sequence[int], seed: int, folder: Path
) -> Iterator[Path]:
    """Write the mosaics of some of a program's rows; yield each file's path as it is written.

    Star and background have the row's rates; the exposure is as long as gives
    the row's signal-to-noise ratio. The headers' PHOTMJSR is Tables 7-8's,
    not the truth's.

    Parameters
    ----------
    program : SimulatedProgram
        From `scene_program`.
    rows : sequence of int
        Places in its photometry table.
    seed : int
        Fixes positions, backgrounds and noise.
    folder : Path
        An existing folder.
    """
    table = program.photometry
    published = published_coefficients()
    for i in rows:
        row = table[i]
        band, subarray = str(row["filter"]), str(row["subarray"])
        random = generator(seed, f"mosaic {i}")
        scene = _scene(row, random)
        at = [(n - 1) / 2 + random.uniform(-2, 2) for n in scene.size[::-1]]
        mjd = float(row["time"].to_value("d"))
        target = Target(
            name=str(row["name"]),
            program=str(row["PID"]),
            mjd=mjd,
            motion=(0.1, -0.05),
            factor=float(published.factor([band], [subarray], np.array([mjd]))[0]),
            integration_time=float(row["inttime"].to_value("s")),
        )
        path = folder / f"simulated_{i + 1:04d}_{band}_i2d.fits"
        with mosaic(scene, target, (at[0], at[1])) as model:
            model.save(str(path), checksum=True)
        yield path


def _scene(row: QTable.Row, random: np.random.Generator) -> Scene:
    band, subarray = str(row["filter"]), str(row["subarray"])
    aperture = published_apertures(miri())[band]
    iflux = row["iflux"].value
    rate = iflux * aperture.correction
    low, high = ANNULUS_FRACTIONS
    spilt = rate * (high - low) / (np.pi * (aperture.r_b2**2 - aperture.r_b1**2))
    level = max(row["ibkg"].value - spilt, 0.01 * row["ibkg"].value)
    slope = tuple(random.normal(0, _SLOPE, 2))
    rows, columns = SHAPES[subarray]
    scene = Scene(
        band,
        subarray,
        rate,
        Background(level, slope, _STRUCTURE, 20.0),
        seed=int(random.integers(2**31)),
        bad_fraction=1e-4,
        shape=(min(rows, LARGEST), min(columns, LARGEST)),
    )
    return replace(scene, exposure_time=exposure_time(scene, iflux / row["ifluxunc"].value))
