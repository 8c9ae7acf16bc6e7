"""The commands ``photometry``, ``apertures`` and ``mosaic``."""

from __future__ import annotations

import argparse
import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirical.console.command_parsers import add_command
from mirical.console.many_fits import Kept, add_options, how_of, kept_beside
from mirical.console.shared import NOT_BELIEVABLE, SUCCESS, consoles, write_table
from mirical.errors import InputError
from mirical.pipeline_settings import settings_text
from mirical.storage.files import check_outputs, together, whole_folder

if TYPE_CHECKING:
    from astropy.table import QTable
    from rich.console import Console

    from mirical.imaging.photometry_rows import Settings


def photometry(options: argparse.Namespace) -> int:
    """Measure images, one row a file; those that cannot be measured are kept with their reasons."""
    from mirical.imaging.photometry_rows import Settings
    from mirical.imaging.photometry_table import photometry_table
    from mirical.instruments.miri import miri
    from mirical.tables.apertures import load_apertures

    how = how_of(options)
    paths = _images(options.images)
    band = options.filter and miri().find_band(options.filter, "photometry").name
    types = _star_types(options.star)
    apertures = load_apertures(options.apertures, miri(), "photometry")
    if not options.out.parent.is_dir():
        raise InputError(f"{options.out}: its folder does not exist; make it or choose another.")
    check_outputs([options.out], [options.pictures], inputs=[*paths, Path(options.apertures)])
    consoled = consoles()
    with kept_beside(options.out, how, consoled) as kept:
        with together():
            rows = _measure(paths, Settings(apertures, types, band), options, kept, consoled[1])
            kept.end_share()
            table = photometry_table(rows, apertures)
            write_table(table, options.out)
        n_used = _print_rows(table, len(paths), options.out, consoled[0])
        return SUCCESS if n_used == len(paths) else NOT_BELIEVABLE
    return SUCCESS  # of a share


def _measure(
    paths: list[Path],
    settings: Settings,
    options: argparse.Namespace,
    kept: Kept,
    progress: Console,
) -> list[dict[str, Any]]:
    """Return the rows of files; draw them if a folder for pictures is asked for."""
    from contextlib import nullcontext
    from dataclasses import replace

    from mirical.console.progress import CountWatch
    from mirical.imaging.photometry_rows import measure_files

    rows: dict[int, dict[str, Any]] = {}
    with (
        whole_folder(options.pictures) if options.pictures else nullcontext() as folder,
        CountWatch("images", len(paths), progress) as watch,
    ):
        if folder is not None:
            from mirical.imaging.figures import draw_picture

            settings = replace(settings, draw=draw_picture)

        def take(number: int, row: dict[str, Any], picture: tuple[str, bytes] | None) -> None:
            rows[number] = row
            if folder is not None and picture is not None:
                (folder / picture[0]).write_bytes(picture[1])
            watch.advance()

        measure_files(paths, settings, take, kept.run)
    return [rows[number] for number in sorted(rows)]


def _print_rows(table: QTable, images: int, out: Path, results: Console) -> int:
    """Print a photometry table; return how many of its rows were measured."""
    from mirical.console.printing import print_photometry

    print_photometry(table, results)
    n_used = sum(not flag for flag in table["flag"])
    results.print(
        f"{n_used} of {images} images measured; {len(table)} rows in {out}",
        soft_wrap=True,
        markup=False,
    )
    return n_used


def apertures(options: argparse.Namespace) -> int:
    """Measure encircled energies and the apertures that follow."""
    from mirical.console.printing import print_apertures
    from mirical.console.progress import CountWatch
    from mirical.exports.aperture_folder import write_study
    from mirical.imaging.measured_apertures import study_apertures
    from mirical.imaging.observed_curves import Models

    how = how_of(options)
    check_outputs(folders=[options.out])
    psfs, only = _psfs(options.psf)
    images = _images(options.images)
    if not images and not psfs:
        raise InputError("apertures: give images, or --psf BAND=FILE for the model alone.")
    if options.transition is not None and not options.transition > 0:
        raise InputError(f"apertures: --transition {options.transition:g}; expected pixels > 0.")
    fractions = tuple(sorted(set(options.radius_fractions)))
    if not all(0 < fraction < 1 for fraction in fractions):
        given = " ".join(f"{fraction:g}" for fraction in fractions)
        raise InputError(f"apertures: --radius-fractions {given}; expected numbers within 0 to 1.")
    models = Models(psfs, only, options.transition)
    consoled = results, progress = consoles()
    with kept_beside(options.out, how, consoled) as kept:
        with CountWatch("images", len(images), progress) as watch:
            study = study_apertures(images, models, fractions, watch.advance, kept.run)
        kept.end_share()
        write_study(study, options.out)
        print_apertures(study.table(), results)
        results.print(
            "apertures.ecsv, radii.ecsv, curves.ecsv, apcorr.fits and encircled.png in "
            f"{options.out}",
            soft_wrap=True,
            markup=False,
        )
    return SUCCESS


def mosaic(options: argparse.Namespace) -> int:
    """Resample exposures to one image, their custom background subtracted if asked for."""
    radius = options.mask_radius
    if options.out.suffix != ".fits":
        raise InputError(f"{options.out}: not a name of a FITS file; expected FILE_i2d.fits.")
    if radius is not None and not (options.background == "custom" and radius > 0):
        raise InputError(
            f"mosaic: --mask-radius {radius:g}; expected a positive number of FWHM, with "
            "--background custom."
        )
    check_outputs([options.out], inputs=options.exposures, parents=True)
    results, progress = consoles()
    from mirical.console.progress import WorkWatch

    count = f"{len(options.exposures)} exposures"
    with WorkWatch(f"reading {count}", progress) as watch:
        from mirical.imaging.background import subtract_background
        from mirical.imaging.dithers import open_exposures
        from mirical.imaging.mosaics import mosaic, save_mosaic

        models = open_exposures(options.exposures)
        if options.background == "custom":
            watch.turn_to(f"subtracting the background of {count}")
            models = subtract_background(models, radius)
        watch.turn_to(f"resampling {count}")
        made = mosaic(models)
        save_mosaic(made, options.out)
    rows, columns = made.data.shape
    results.print(
        f"{options.out}: {columns} x {rows} pixels from {len(models)} exposures, background "
        f"{'subtracted' if options.background == 'custom' else 'left in'}",
        soft_wrap=True,
        markup=False,
    )
    return SUCCESS


def simulate_mosaics(options: argparse.Namespace) -> int:
    """Write a simulated program as images."""
    from mirical.console.progress import watched
    from mirical.instruments.miri import miri
    from mirical.simulation.scene_program import scene_program, write_mosaics
    from mirical.tables.formats import write_ecsv

    bands = [miri().find_band(name, "simulate").name for name in options.mosaics if name != "all"]
    bands = list(miri().bands) if "all" in options.mosaics else bands
    program = scene_program(options.seed, options.truth, options.law)
    rows = [i for i, band in enumerate(program.photometry["filter"]) if band in bands]
    results, progress = consoles()
    with whole_folder(options.out, former=("mosaics/simulated_*_i2d.fits",)) as beside:
        (beside / "mosaics").mkdir()
        written = write_mosaics(program, rows, options.seed, beside / "mosaics")
        list(watched(written, "mosaics", len(rows), progress))
        write_ecsv(program.truth, beside / "truth.ecsv")
    results.print(
        f"{len(rows)} SIMULATED mosaics in {options.out / 'mosaics'}, truth.ecsv beside them",
        soft_wrap=True,
        markup=False,
    )
    return SUCCESS


def _images(given: list[Path]) -> list[Path]:
    """Return the image files named, those of a folder for a folder."""
    paths: dict[str, Path] = {}
    for path in given:
        try:
            if not path.exists():
                raise InputError(
                    f"{path}: no such file; expected a JWST image or a folder of them."
                )
            inside = sorted(path.glob("*.fits")) if path.is_dir() else [path]
        except OSError as error:  # a name too long, a folder without permission
            raise InputError(f"{path}: cannot be opened ({error.strerror}).") from error
        if not inside:
            raise InputError(f"{path}: no *.fits file in this folder.")
        for file in inside:
            if paths.setdefault(os.path.realpath(file), file) is not file:
                raise InputError(f"{file.name}: is given twice; give each image once.")
    return list(paths.values())


def _star_types(given: list[str]) -> dict[str, str]:
    from mirical.instruments.miri import miri
    from mirical.stars import canonical_star, star_key

    types = {}
    for entry in given:
        name, separator, kind = entry.partition("=")
        if not separator or not name:
            raise InputError(f"photometry: --star {entry!r}; expected NAME=TYPE.")
        types[star_key(canonical_star(name))] = miri().find_type(
            kind, f"photometry: --star {entry!r}"
        )
    return types


def _psfs(given: list[str]) -> tuple[dict[str, Path], Path | None]:
    """Return the model PSFs by band, and the one given without a band."""
    from mirical.instruments.miri import miri

    psfs: dict[str, Path] = {}
    only: Path | None = None
    for entry in given:
        name, separator, file = entry.partition("=")
        band = miri().find_band(name, f"apertures: --psf {entry!r}").name if separator else None
        if band in psfs or (band is None and only is not None):
            other = f"of {band}" if band else "without a band"
            raise InputError(
                f"apertures: --psf {entry!r} comes after another {other}; give BAND=FILE, one a "
                "band."
            )
        if band is None:
            only = Path(entry)
        else:
            psfs[band] = Path(file)
    return psfs, only


def add_parsers(parsers: argparse._SubParsersAction) -> None:
    """Add the commands of this module to the command line."""
    _add_apertures(parsers)
    _add_mosaic(parsers)
    _add_photometry(parsers)


def _add_apertures(parsers: argparse._SubParsersAction) -> None:
    about = (
        "Measure encircled energies in images of bright stars, complete them by a model PSF, and "
        "write the radii of apertures and annuli with the correction and its scatter."
    )
    parser = add_command(
        parsers,
        "apertures",
        apertures,
        ("encircled energies, apertures and their corrections from images", about),
        "mirical apertures images/*_i2d.fits --psf F770W=psf.fits --out apertures",
    )
    what = parser.add_argument_group("what is measured")
    what.add_argument(
        "images", metavar="IMAGE", type=Path, nargs="*", help="i2d files of bright stars"
    )
    what.add_argument(
        "--psf",
        metavar="[BAND=]FILE",
        action="append",
        default=[],
        help="image of the model PSF; without one stpsf is asked, where it is installed",
    )
    what.add_argument(
        "--transition",
        metavar="R",
        type=float,
        help="pixels inside which the images count, the model outside [40; coronagraphs more]",
    )
    what.add_argument(
        "--radius-fractions",
        metavar="F",
        type=float,
        nargs="+",
        default=[0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85],
        help="encircled energies whose radii are listed and marked [those of the paper's Fig. 2]",
    )
    add_options(parser, "images")
    written = parser.add_written()
    written.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder to write")


def _add_mosaic(parsers: argparse._SubParsersAction) -> None:
    about = (
        "Resample the level-2 exposures of one observation to a mosaic, as the paper made them. "
        "The paper's settings, where they depart from the pipeline's defaults, are below. The "
        "first two stages need reference files from CRDS and are yours to run; of the last, this "
        "command runs the resampling, which needs none.\n\n"
        + textwrap.indent(settings_text(), "  ")
    )
    parser = add_command(
        parsers,
        "mosaic",
        mosaic,
        ("level-2 exposures of one observation to a mosaic, as the paper made them", about),
        "mirical mosaic jw*_cal.fits --background custom --out star_i2d.fits",
    )
    what = parser.add_argument_group("what is resampled")
    what.add_argument(
        "exposures", metavar="CAL", type=Path, nargs="+", help="level-2 files (_cal.fits)"
    )
    what.add_argument(
        "--background",
        choices=("custom", "none"),
        default="none",
        help="what to subtract from the exposures first: their mean in detector coordinates, the "
        "star masked, or [none]",
    )
    what.add_argument(
        "--mask-radius",
        metavar="R",
        type=float,
        help="radius of the star's mask, FWHM of the band [a pixel beyond the annulus]",
    )
    written = parser.add_written()
    written.add_argument(
        "--out", metavar="FILE_i2d.fits", type=Path, required=True, help="mosaic to write"
    )


def _add_photometry(parsers: argparse._SubParsersAction) -> None:
    about = (
        "Aperture photometry of calibrated JWST images of standard stars: one row a file, with "
        "band, subarray, epoch and error, in a table that 'mirical run' fits. Images that cannot "
        "be measured are kept as rows with the reason; status 1 if there are any."
    )
    parser = add_command(
        parsers,
        "photometry",
        photometry,
        ("aperture photometry of JWST images, a row each, ready for a run", about),
        "mirical photometry images --out rows.ecsv --pictures pictures",
    )
    what = parser.add_argument_group("what is measured")
    what.add_argument(
        "images", metavar="IMAGE", type=Path, nargs="+", help="i2d or cal files, or folders of them"
    )
    what.add_argument(
        "--apertures", metavar="TABLE", default="table4", help="from 'mirical apertures' [table4]"
    )
    what.add_argument(
        "--filter",
        metavar="F",
        help="true band of all images, where neither mask nor PHOTMJSR tells it from the header's",
    )
    what.add_argument(
        "--star",
        metavar="NAME=TYPE",
        action="append",
        default=[],
        help="type of a star of your own: HotStars, ADwarfs or SolarAnalogs",
    )
    add_options(parser, "images")
    written = parser.add_written()
    written.add_argument(
        "--out", metavar="ROWS.ecsv", type=Path, required=True, help="photometry table to write"
    )
    written.add_argument(
        "--pictures", metavar="DIR", type=Path, help="draw each star with aperture and annulus"
    )
