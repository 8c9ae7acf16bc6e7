"""A photom reference file run through the installed pipeline, its factors compared with ours."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from stdatamodels.jwst import datamodels

from mirical.errors import InputError
from mirical.exports.photom_file import PhotomRows, read_photom
from mirical.exports.pipeline_law import CHECKED

Floats = NDArray[np.float64]

TOLERANCE = 3e-6
"""Largest relative difference from our factor that single precision explains.

The pipeline computes in the precision the file stores: 1e-7 a number, and epochs
to 0.002 d, in which a factor that changes by 1e-3 a day moves by 2e-6.
"""


@dataclass(frozen=True)
class PipelineCheck:
    """How the pipeline's factors compare with ours.

    Attributes
    ----------
    rows : int
        Rows that were put through.
    worst : float
        Largest relative difference.
    worst_at : tuple of (str, str, float)
        Band, subarray and MJD of it.
    """

    rows: int
    worst: float
    worst_at: tuple[str, str, float]

    @property
    def passes(self) -> bool:
        """Whether single precision explains the difference."""
        return self.worst < TOLERANCE

    def sentence(self) -> str:
        """Say what was found."""
        band, subarray, mjd = self.worst_at
        said = (
            f"by the installed pipeline's photom step, {self.rows} rows of all bands and "
            f"subarrays: its factor differs from ours by {self.worst:.1e} at most ({band} in "
            f"{subarray} at MJD {mjd:.1f})"
        )
        return said if self.passes else f"{said}: MORE than single precision explains"


def check_in_pipeline(path: Path, rows: NDArray[np.intp], mjd: Floats) -> PipelineCheck:
    """Apply rows of a file to images of ones, each at its epoch, by the installed photom step.

    Parameters
    ----------
    path : Path
        The photom reference file.
    rows : (point,) int array
        Numbers of the rows.
    mjd : (point,) array
        Epochs.

    Raises
    ------
    InputError
        If the pipeline leaves an image as it was.
    """
    ours = read_photom(path)
    found = applied_factors(path, ours, rows, mjd)
    expected = np.array([ours.factors(t)[k] for k, t in zip(rows, mjd, strict=True)])
    off = np.abs(found / expected - 1)
    at = int(off.argmax())
    place = ours.filters[rows[at]], ours.subarrays[rows[at]], float(mjd[at])
    return PipelineCheck(len(rows), float(off[at]), place)


def one_of_each(rows: PhotomRows) -> NDArray[np.intp]:
    """Return numbers of rows among which every band and every subarray is: a check of seconds."""
    bands, subarrays = list(dict.fromkeys(rows.filters)), list(dict.fromkeys(rows.subarrays))
    found = []
    for k in range(max(len(bands), len(subarrays))):
        of_band = [i for i, band in enumerate(rows.filters) if band == bands[k % len(bands)]]
        wanted = subarrays[k % len(subarrays)]
        found.append(next((i for i in of_band if rows.subarrays[i] == wanted), of_band[0]))
    missing = set(subarrays) - {rows.subarrays[i] for i in found}
    found += [rows.subarrays.index(name) for name in subarrays if name in missing]
    return np.array(found)


def spread_epochs(number: int) -> Floats:
    """Return epochs all over the span that exported coefficients are for, in no order (MJD)."""
    first, last = CHECKED
    golden = (5**0.5 - 1) / 2  # multiples of it leave no gaps and follow no pattern of the rows
    return first + (last - first) * np.mod(golden * np.arange(number), 1.0)


def applied_factors(path: Path, ours: PhotomRows, rows: NDArray[np.intp], mjd: Floats) -> Floats:
    """Return what the installed photom step multiplies images of ones by, (point,)."""
    found = []
    with _offline():
        from jwst.photom import PhotomStep

        step = PhotomStep()
        step.override_photom, step.override_area = str(path), "N/A"
        for k, epoch in zip(rows, mjd, strict=True):
            with _image(ours.filters[k], ours.subarrays[k], float(epoch)) as image:
                with step.process(image) as result:
                    if result.meta.bunit_data != "MJy/sr":
                        raise InputError(
                            f"{path.name}: the pipeline finds no row of {ours.filters[k]} in "
                            f"{ours.subarrays[k]}, and leaves the image in DN/s."
                        )
                    found.append(float(result.meta.photometry.conversion_megajanskys))
    return np.array(found)


@contextmanager
def _offline() -> Iterator[None]:
    """Keep the step from asking for parameters over the network, and from reporting each image."""
    before = os.environ.get("STPIPE_DISABLE_CRDS_STEPPARS")
    os.environ["STPIPE_DISABLE_CRDS_STEPPARS"] = "true"
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)
        if before is None:
            del os.environ["STPIPE_DISABLE_CRDS_STEPPARS"]
        else:
            os.environ["STPIPE_DISABLE_CRDS_STEPPARS"] = before


def _image(band: str, subarray: str, mjd: float) -> datamodels.ImageModel:
    ones = np.ones((2, 2), dtype=np.float32)
    image = datamodels.ImageModel(data=ones, err=ones)
    image.meta.instrument.name, image.meta.instrument.detector = "MIRI", "MIRIMAGE"
    image.meta.instrument.filter, image.meta.subarray.name = band, subarray
    image.meta.exposure.type, image.meta.exposure.mid_time = "MIR_IMAGE", mjd
    image.meta.bunit_data = image.meta.bunit_err = "DN/s"
    return image
