"""Folder of measured apertures: tables, aperture-correction file, figure."""

from __future__ import annotations

from pathlib import Path

from mirical.exports.apcorr_file import write_apcorr
from mirical.imaging.figures import draw_encircled
from mirical.imaging.measured_apertures import ApertureStudy
from mirical.storage.files import whole_folder
from mirical.tables.formats import write_ecsv


def write_study(study: ApertureStudy, folder: Path) -> None:
    """Write the tables (apertures, radii, curves), ``apcorr.fits`` and ``encircled.png``.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    with whole_folder(folder) as beside:
        write_ecsv(study.table(), beside / "apertures.ecsv")
        write_ecsv(study.radius_table(), beside / "radii.ecsv")
        write_ecsv(study.curve_table(), beside / "curves.ecsv")
        write_apcorr(study, beside / "apcorr.fits")
        (beside / "encircled.png").write_bytes(draw_encircled(study))
