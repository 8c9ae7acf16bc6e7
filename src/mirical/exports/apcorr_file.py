"""The pipeline's aperture-correction reference file (``MirImgApcorrModel``)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.time import Time
from stdatamodels.jwst import datamodels

from mirical.imaging.encircled_energy import ApertureEstimate
from mirical.instruments.miri import miri
from mirical.storage.files import whole_file
from mirical.storage.fits_files import save_model
from mirical.tables.apertures import ANNULUS_FRACTIONS, APERTURE_FRACTION, Aperture
from mirical.text import ascii_text
from mirical.version import __version__

if TYPE_CHECKING:
    from mirical.imaging.measured_apertures import ApertureStudy

FRACTIONS = tuple(round(0.1 * i, 1) for i in range(1, 9))
"""Encircled energies of the file's apertures; the annulus is that of 80 to 85 % throughout."""

_ROW = [
    ("filter", "S12"),
    ("subarray", "S17"),
    ("eefraction", "f4"),
    ("radius", "f4"),
    ("apcorr", "f4"),
    ("skyin", "f4"),
    ("skyout", "f4"),
]


def write_apcorr(study: ApertureStudy, path: Path) -> None:
    """Write the pipeline's aperture-correction file (MirImgApcorrModel).

    A row a band, subarray the band is observed in, and encircled energy f:
    radius r(f), and apcorr = 1 / (f - S_bkg pi r^2), Eq. (1)-(2) with f for 0.7.
    """
    rows = []
    for band, estimate in study.estimates.items():
        mask = miri().bands[band].mask
        for subarray in (mask,) if mask else miri().subarrays:
            rows += [(band, subarray, *numbers) for numbers in _corrections(estimate)]
    what = "SIMULATED " if study.simulated else ""
    about = f"{what}aperture corrections of MIRI imaging, by encircled energy"
    known = study.record()
    lines = [f"{key}: {json.dumps(known[key])}" for key in ("sha256", "images_mjd") if key in known]
    _save(rows, about, _pedigree(study), path, lines)


KNOWN_FRACTIONS = (APERTURE_FRACTION, *ANNULUS_FRACTIONS)
"""Encircled energies whose radii a table of apertures states: of the aperture and its annulus."""

USE = " ".join(f"--aperture_ee{k}={100 * f:.0f}" for k, f in enumerate(KNOWN_FRACTIONS, 1))
"""Options with which the pipeline's source_catalog step takes such a file; its defaults are 30, 50
and 70 %, of which 30 and 50 % are not known."""


def write_used_apcorr(
    apertures: Mapping[str, Aperture], pedigree: str, path: Path, history: Sequence[str] = ()
) -> None:
    """Write the corrections of the apertures that rows were measured in, and of their annuli.

    The source catalogue of the pipeline needs three encircled energies. A table of apertures
    states the radii of three: 70 % for the aperture, 80 and 85 % for the annulus's edges. Those
    are written; see `USE`.

    Parameters
    ----------
    apertures : mapping of {str : Aperture}
        By band.
    pedigree : str
        Where they come from, in the words CRDS accepts.
    path : Path
        File to write, whole or not at all.
    history : sequence of str
        Lines on the calibration they go with.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    rows = [
        (band, subarray, fraction, radius, one.correction_of(fraction, radius), *one.radii[1:])
        for band, one in apertures.items()
        for subarray in miri().readouts(band)
        for fraction, radius in zip(KNOWN_FRACTIONS, one.radii, strict=True)
    ]
    simulated = "SIMULATED " if pedigree == "SIMULATION" else ""
    about = f"{simulated}aperture corrections of MIRI imaging that the calibration factors go with"
    lines = [*history, f"for the source_catalog step with {USE}"]
    with whole_file(path, ".fits") as beside:
        _save(rows, about, pedigree, beside, lines)


def _save(
    rows: list[tuple[Any, ...]],
    description: str,
    pedigree: str,
    path: Path,
    history: Sequence[str] = (),
) -> None:
    model = datamodels.MirImgApcorrModel(apcorr_table=np.array(rows, dtype=_ROW))
    model.meta.description = description
    model.meta.author, model.meta.pedigree = f"mirical {__version__}", pedigree
    model.meta.useafter = "2022-04-01T00:00:00"
    model.meta.reftype, model.meta.telescope = "apcorr", "JWST"
    model.meta.instrument.name, model.meta.instrument.detector = "MIRI", "MIRIMAGE"
    model.meta.exposure.type = "MIR_IMAGE"
    for line in history:
        model.add_history_entry(ascii_text(line))
    with model:
        save_model(model, path)


def _pedigree(study: ApertureStudy) -> str:
    """Return where the numbers come from, in the words CRDS accepts."""
    if study.simulated:
        return "SIMULATION"
    if study.span is None:
        return "MODEL"
    first, last = (Time(mjd, format="mjd").strftime("%Y-%m-%d") for mjd in study.span)
    return f"INFLIGHT {first} {last}"


def _corrections(estimate: ApertureEstimate) -> list[tuple[float, ...]]:
    """Return fraction, mean radius, correction and annulus for each fraction."""
    aperture = estimate.aperture
    per_area = aperture.annulus_term / aperture.r_a**2
    found = []
    for fraction in FRACTIONS:
        radius = float(np.mean([curve.radius(fraction) for curve in estimate.curves]))
        correction = 1 / (fraction - per_area * radius**2)
        found.append((fraction, radius, correction, aperture.r_b1, aperture.r_b2))
    return found
