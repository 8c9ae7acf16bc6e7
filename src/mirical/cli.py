"""The command line: ``mirical COMMAND``.

Exit status 0 on success, 1 if a result must not be believed, 2 for a user's mistake.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import mirical
from mirical.commands import calibrating, checking, exporting, imaging, linting
from mirical.commands.ending import INTERRUPTED, SUCCESS, USER_MISTAKE
from mirical.errors import InputError
from mirical.observations.pipeline import settings_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except InputError as error:
        sys.stderr.write(f"mirical: {error}\n")
        return USER_MISTAKE
    except KeyboardInterrupt:
        sys.stderr.write("mirical: interrupted before there was anything to keep.\n")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has seen enough; keep Python from complaining at exit.
        sys.stderr.close()
        return SUCCESS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mirical", description="Bayesian flux calibration of MIRI imaging and coronagraphy."
    )
    parser.add_argument("--version", action="version", version=f"mirical {mirical.__version__}")
    parsers = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(parsers)
    _add_factors(parsers)
    _add_error(parsers)
    _add_apply(parsers)
    _add_export(parsers)
    _add_preflight(parsers)
    _add_compare(parsers)
    _add_check(parsers)
    _add_rivals(parsers)
    _add_apertures(parsers)
    _add_mosaic(parsers)
    _add_photometry(parsers)
    _add_simulate(parsers)
    _add_staged(parsers)
    _add_fluxes(parsers)
    _add_sbc(parsers)
    return parser


def _add_run(parsers: argparse._SubParsersAction) -> None:
    run = parsers.add_parser("run", help="fit a job and write its folder of tables and report")
    run.add_argument("job", nargs="?", default="table5", help="a job's name or file [table5]")
    run.add_argument("--photometry", metavar="FILE", help="photometry table instead of the job's")
    run.add_argument("--model", metavar="CARD", help="model card instead of the job's")
    run.add_argument("--apertures", metavar="TABLE", help="from 'mirical apertures' [Table 4]")
    run.add_argument("--out", metavar="DIR", type=Path, help="folder to write [reports/JOB]")
    for name in ("seed", "chains", "warmup", "draws"):
        run.add_argument(f"--{name}", metavar="N", type=int, help=f"sampler {name}, not the job's")
    run.set_defaults(command=calibrating.run)


def _add_factors(parsers: argparse._SubParsersAction) -> None:
    factors = parsers.add_parser(
        "factors", help="calibration factors for bands, subarrays and dates"
    )
    factors.add_argument("run", metavar="RUN", help="a run's folder, or 'published'")
    _add_points(factors)
    factors.add_argument(
        "--covariance",
        metavar="FILE",
        type=Path,
        help="write the points' covariance: FILE.npy, or FILE.fits with points and provenance",
    )
    factors.add_argument(
        "--draws", metavar="FILE.npy", type=Path, help="write all draws, a row a draw"
    )
    factors.add_argument("--out", metavar="C.ecsv", type=Path, help="write the answer as a table")
    factors.set_defaults(command=calibrating.factors)


def _add_points(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--filter", metavar="F", nargs="+", help="band, such as F770W; several, one a point"
    )
    command.add_argument(
        "--subarray", metavar="S", nargs="+", default=["FULL"], help="subarray, one or all [FULL]"
    )
    command.add_argument("--mjd", metavar="T", type=float, nargs="+", help="epoch, MJD in days")
    command.add_argument(
        "--at",
        metavar="GRID.ecsv",
        type=Path,
        help="table with filter, subarray and mjd, and name where of several objects",
    )


def _add_source(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--source",
        choices=("point", "extended"),
        default="point",
        help="a point source in the standard stars' apertures, or anything else [point]",
    )
    command.add_argument(
        "--visits", metavar="N", type=int, default=1, help="visits each flux is the mean of [1]"
    )


def _add_error(parsers: argparse._SubParsersAction) -> None:
    error = parsers.add_parser(
        "error", help="what the calibration adds to the errors of an observation, in parts"
    )
    error.add_argument("run", metavar="RUN", help="a run's folder, or 'published'")
    _add_points(error)
    _add_source(error)
    error.add_argument(
        "--covariance",
        metavar="FILE",
        type=Path,
        help="write the relative covariance: FILE.npy, or FILE.fits with its parts",
    )
    error.add_argument("--out", metavar="E.ecsv", type=Path, help="write the parts as a table")
    error.set_defaults(command=exporting.error)


def _add_apply(parsers: argparse._SubParsersAction) -> None:
    apply = parsers.add_parser("apply", help="calibrate a table of fluxes, or a JWST image in DN/s")
    apply.add_argument("run", metavar="RUN", help="a run's folder, or 'published'")
    apply.add_argument(
        "file",
        metavar="FILE",
        type=Path,
        help="ECSV table with filter, subarray, mjd and 'iflux' [DN/s] or 'flux'; or a rate image",
    )
    apply.add_argument("--out", metavar="OUT", type=Path, required=True, help="file to write")
    apply.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    apply.add_argument(
        "--covariance",
        metavar="FILE",
        type=Path,
        help="where the fluxes' covariance goes [OUT with the ending .cov.fits]",
    )
    apply.add_argument(
        "--draws", metavar="N", type=int, help="add N draws of the fluxes to the covariance file"
    )
    apply.add_argument("--seed", metavar="N", type=int, default=0, help="fixes the draws [0]")
    apply.add_argument(
        "--calibrated-with",
        dest="before",
        metavar="RUN",
        help="what 'flux' was calibrated with, where no column 'photmjsr' says so",
    )
    apply.add_argument("--apertures", metavar="TABLE", default="table4", help="of 'iflux' [table4]")
    apply.add_argument("--filter", metavar="F", help="an image's true band, if not the header's")
    _add_source(apply)
    apply.set_defaults(command=exporting.apply)


def _add_export(parsers: argparse._SubParsersAction) -> None:
    export = parsers.add_parser("export", help="a calibration as reference files and tables")
    export.add_argument("run", metavar="RUN", help="a run's folder, or 'published'")
    export.add_argument(
        "--to",
        metavar="FORMAT",
        choices=exporting.EXPORTS,
        required=True,
        help=f"one of {', '.join(exporting.EXPORTS)}",
    )
    export.add_argument(
        "file", metavar="FILE", type=Path, help="file to write; a folder for jwst-photom-draws"
    )
    export.add_argument(
        "--draws", metavar="N", type=int, default=50, help="draws of jwst-photom-draws [50]"
    )
    export.add_argument("--seed", metavar="N", type=int, default=0, help="fixes which [0]")
    export.add_argument(
        "--at",
        metavar="GRID.ecsv",
        type=Path,
        help="points of the covariance [all bands in FULL at nine dates]",
    )
    export.set_defaults(command=exporting.export)


def _add_preflight(parsers: argparse._SubParsersAction) -> None:
    preflight = parsers.add_parser(
        "preflight", help="what is wrong with a photom reference file, before the pipeline takes it"
    )
    preflight.add_argument("file", metavar="FILE", type=Path, help="reference file, anybody's")
    preflight.add_argument(
        "--against",
        dest="other",
        metavar="OTHER",
        type=Path,
        help="reference file whose factors this one should go on from",
    )
    preflight.add_argument(
        "--from",
        dest="first",
        metavar="MJD",
        type=float,
        help="first epoch it is to be used at [59720]",
    )
    preflight.add_argument("--to", dest="last", metavar="MJD", type=float, help="last one [62000]")
    preflight.set_defaults(command=linting.preflight)


def _add_compare(parsers: argparse._SubParsersAction) -> None:
    compare = parsers.add_parser("compare", help="one calibration against another")
    compare.add_argument("run", metavar="RUN", help="a run's folder, or 'published'")
    compare.add_argument(
        "--with",
        dest="other",
        metavar="OTHER",
        default="published",
        help="a run's folder, 'staged' for point fits to the rows of RUN, or [published]",
    )
    compare.add_argument("--mjd", metavar="T", type=float, nargs="+", help="epochs to compare at")
    compare.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="folder to write tables and figures to, or FILE.ecsv for the factors alone",
    )
    compare.set_defaults(command=calibrating.compare)


def _add_check(parsers: argparse._SubParsersAction) -> None:
    check = parsers.add_parser(
        "check", help="should the model be believed? predictive checks, dependences, odd stars"
    )
    check.add_argument("run", metavar="RUN", help="a run's folder")
    check.add_argument("--out", metavar="DIR", type=Path, help="folder to write [RUN/check]")
    check.add_argument(
        "--draws", metavar="N", type=int, default=200, help="posterior draws looked at [200]"
    )
    check.add_argument(
        "--no-refit",
        dest="refit",
        action="store_false",
        help="do not fit again without each star whose effect the draws cannot tell",
    )
    check.set_defaults(command=checking.check)


def _add_rivals(parsers: argparse._SubParsersAction) -> None:
    rivals = parsers.add_parser(
        "rivals", help="other models of a run's rows: compared, stacked, and asked for the future"
    )
    rivals.add_argument("run", metavar="RUN", help="a run's folder")
    rivals.add_argument(
        "--models",
        metavar="CARD",
        nargs="+",
        help="cards to compare [the shipped ladder and time laws]",
    )
    rivals.add_argument(
        "--cuts", metavar="N", type=int, default=5, help="dates to hindcast from, 0 for none [5]"
    )
    rivals.add_argument(
        "--until", metavar="MJD", type=float, help="end of the forecast [62502, 2030-01-01]"
    )
    rivals.add_argument("--out", metavar="DIR", type=Path, help="folder to write [RUN/rivals]")
    rivals.set_defaults(command=checking.rivals)


def _add_apertures(parsers: argparse._SubParsersAction) -> None:
    apertures = parsers.add_parser(
        "apertures", help="encircled energies, apertures and their corrections from images"
    )
    apertures.add_argument(
        "images", metavar="IMAGE", type=Path, nargs="*", help="i2d files of bright stars"
    )
    apertures.add_argument(
        "--psf",
        metavar="[BAND=]FILE",
        action="append",
        default=[],
        help="image of the model PSF; without one stpsf is asked, where it is installed",
    )
    apertures.add_argument(
        "--transition",
        metavar="R",
        type=float,
        help="pixels inside which the images count, the model outside [40; coronagraphs more]",
    )
    apertures.add_argument(
        "--radius-fractions",
        metavar="F",
        type=float,
        nargs="+",
        default=[0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85],
        help="encircled energies whose radii are listed and marked [those of the paper's Fig. 2]",
    )
    apertures.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder to write")
    apertures.set_defaults(command=imaging.apertures)


def _add_photometry(parsers: argparse._SubParsersAction) -> None:
    photometry = parsers.add_parser(
        "photometry", help="aperture photometry of JWST images, a row each, ready for a run"
    )
    photometry.add_argument(
        "images", metavar="IMAGE", type=Path, nargs="+", help="i2d or cal files, or folders of them"
    )
    photometry.add_argument(
        "--out", metavar="ROWS.ecsv", type=Path, required=True, help="photometry table to write"
    )
    photometry.add_argument(
        "--pictures", metavar="DIR", type=Path, help="draw each star with aperture and annulus"
    )
    photometry.add_argument(
        "--apertures", metavar="TABLE", default="table4", help="from 'mirical apertures' [table4]"
    )
    photometry.add_argument(
        "--filter",
        metavar="F",
        help="true band of all images, where neither mask nor PHOTMJSR tells it from the header's",
    )
    photometry.add_argument(
        "--star",
        metavar="NAME=TYPE",
        action="append",
        default=[],
        help="type of a star of your own: HotStars, ADwarfs or SolarAnalogs",
    )
    photometry.add_argument(
        "--workers", metavar="N", type=int, help="processes side by side [one a core]"
    )
    photometry.set_defaults(command=imaging.photometry)


def _add_simulate(parsers: argparse._SubParsersAction) -> None:
    simulate = parsers.add_parser(
        "simulate", help="photometry of a whole program with known truth (Tables 1-3)"
    )
    simulate.add_argument("--seed", metavar="N", type=int, required=True, help="fixes all chance")
    simulate.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder to write")
    simulate.add_argument(
        "--truth",
        choices=("published", "perturbed"),
        default="published",
        help="true coefficients: Tables 7-8, or drawn about them by the seed [published]",
    )
    simulate.add_argument(
        "--law",
        default="additive",
        help="true time law: additive (the paper's), exponential, exponential-linear, power or "
        "two-exponentials, in relative throughput [additive]",
    )
    simulate.add_argument(
        "--mosaics",
        metavar="F",
        nargs="+",
        help="write images of the rows in these bands (or 'all') instead of their photometry",
    )
    simulate.set_defaults(command=calibrating.simulate)


def _add_staged(parsers: argparse._SubParsersAction) -> None:
    staged = parsers.add_parser("staged", help="the paper's staged point fits on any table")
    staged.add_argument("table", metavar="TABLE", help="photometry table, or 'table5'")
    staged.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder to write")
    staged.add_argument(
        "--subarrays",
        choices=("measured", "published"),
        default="measured",
        help="D from the rows by a stated rule, or from Table 7 [measured]",
    )
    staged.add_argument(
        "--mix-subarrays",
        action="store_true",
        help="fit the time law without dividing out D, as the 2024 code did",
    )
    staged.set_defaults(command=calibrating.staged)


def _add_fluxes(parsers: argparse._SubParsersAction) -> None:
    fluxes = parsers.add_parser("fluxes", help="predicted fluxes from a folder of CALSPEC spectra")
    fluxes.add_argument("folder", metavar="FOLDER", type=Path, help="folder of CALSPEC files")
    fluxes.add_argument(
        "--star", metavar="NAME=FILE", action="append", default=[], help="a star of your own"
    )
    fluxes.add_argument("--out", metavar="FILE.ecsv", type=Path, help="write the table")
    fluxes.set_defaults(command=calibrating.fluxes)


def _add_sbc(parsers: argparse._SubParsersAction) -> None:
    sbc = parsers.add_parser(
        "sbc", help="simulation-based calibration: do a card's posteriors mean what they say?"
    )
    sbc.add_argument("job", nargs="?", default="sbc", help="a job whose rows are the design [sbc]")
    sbc.add_argument("--model", metavar="CARD", help="model card instead of the job's")
    sbc.add_argument(
        "--replicates",
        metavar="N",
        type=int,
        default=100,
        help="data sets drawn and refitted [100]",
    )
    sbc.add_argument(
        "--distort",
        choices=("scatter", "no-star-offset"),
        help="make the model wrong on purpose: errors understated by 1.5, or a term dropped",
    )
    sbc.add_argument(
        "--out", metavar="DIR", type=Path, help="folder to write, or to go on in [reports/JOB]"
    )
    for name in ("seed", "warmup", "draws"):
        sbc.add_argument(f"--{name}", metavar="N", type=int, help=f"sampler {name}, not the job's")
    sbc.set_defaults(command=calibrating.sbc)


def _add_mosaic(parsers: argparse._SubParsersAction) -> None:
    mosaic = parsers.add_parser(
        "mosaic",
        help="level-2 exposures of one observation to a mosaic, as the paper made them",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "The paper's settings, where they depart from the pipeline's defaults. The first two\n"
            "stages need reference files from CRDS and are yours to run; of the last, this\n"
            "command runs the resampling, which needs none.\n\n" + settings_text()
        ),
    )
    mosaic.add_argument(
        "exposures", metavar="CAL", type=Path, nargs="+", help="level-2 files (_cal.fits)"
    )
    mosaic.add_argument(
        "--out", metavar="FILE_i2d.fits", type=Path, required=True, help="mosaic to write"
    )
    mosaic.add_argument(
        "--background",
        choices=("custom", "none"),
        default="none",
        help="what to subtract from the exposures first: their mean in detector coordinates, the "
        "star masked, or [none]",
    )
    mosaic.add_argument(
        "--mask-radius",
        metavar="R",
        type=float,
        help="radius of the star's mask, FWHM of the band [a pixel beyond the annulus]",
    )
    mosaic.set_defaults(command=imaging.mosaic)
