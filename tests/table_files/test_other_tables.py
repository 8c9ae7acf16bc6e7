"""Predicted fluxes, apertures, grids, rates and jobs: any format, any count, any epoch."""

from __future__ import annotations

import warnings
from argparse import ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time

from miri_facts import MIRI
from mirical.calibration.published import PublishedCalibration
from mirical.console.points import asked_points
from mirical.errors import InputError
from mirical.exports.calibrated_table import calibrate_table
from mirical.instruments.cards import load_instrument
from mirical.jobs.job import load_job, with_options
from mirical.tables.apertures import load_apertures, published_apertures
from mirical.tables.column_units import settle_units
from mirical.tables.columns import columns
from mirical.tables.predicted_fluxes import read_fluxes

WAYS = {
    "ecsv": {"format": "ascii.ecsv"},
    "csv": {"format": "ascii.csv"},
    "tsv": {"format": "ascii.tab"},
    "fits": {},
    "vot": {"format": "votable"},
    "parquet": {"format": "parquet"},
}
"""Options of astropy's writer by the ending of the file."""


def written(table: Table, kind: str, folder: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of units that the format does not have
        table.write(folder / f"t.{kind}", **WAYS[kind])
    return folder / f"t.{kind}"


@pytest.mark.parametrize("kind", WAYS)
def test_every_format_holds_the_same_numbers(kind: str, tmp_path: Path):
    for name, table, read in (
        ("fluxes", FLUXES, lambda path: read_fluxes(path, MIRI)["model_flux"].to_value("mJy")),
        ("apertures", APERTURES, lambda path: load_apertures(str(path), MIRI, "t")["F770W"].radii),
        ("grid", GRID, lambda path: grid(path).mjd),
        ("rates", RATES, rates),
    ):
        folder = tmp_path / name
        folder.mkdir()
        path, first = written(table, kind, folder), folder / "first.ecsv"
        table.write(first)
        np.testing.assert_array_equal(read(path), read(first), err_msg=name)


def grid(path: Path) -> Any:
    return asked_points("factors", Namespace(at=path, filter=None, mjd=None), MIRI)[1]


def rates(path: Path) -> Any:
    made = calibrate_table(path, PublishedCalibration(MIRI), published_apertures(MIRI)).table
    return np.array(made["flux_calibrated"]), np.array(made["flux_cal_std"])


FLUXES = Table(
    {"star": ["A", "B"], "Filter": ["f770w", "F1000W"], "model_flux": [1.25, 2.5] * u.mJy},
)
APERTURES = Table(
    {"filter": ["F770W"], "r_a": [3.0], "r_b1": [5.0], "r_b2": [8.0], "r_a_unc": [0.1]}
)
GRID = Table(
    {"Band": ["F770W", "F1000W"], "subarray": ["full", "SUB256"], "MJD": [59800.5, 60000.0]}
)
RATES = GRID.copy()
RATES["iflux"] = [4000.0, 300.0]
for _name in ("r_a", "r_b1", "r_b2", "r_a_unc"):
    APERTURES[_name].unit = "pix"
RATES["iflux"].unit = "DN/s"


def test_what_is_assumed_of_them_is_said(tmp_path: Path):
    notes: list[str] = []
    read_fluxes(written(FLUXES, "csv", tmp_path), MIRI, notes)
    load_apertures(str(written(APERTURES, "tsv", tmp_path)), MIRI, "t", None, notes)
    assert notes == [
        "t.csv: columns without a unit are taken to be in: model_flux [mJy].",
        "t.tsv: columns without a unit are taken to be in: r_a [pix], r_b1 [pix], r_b2 [pix], "
        "r_a_unc [pix].",
    ]


def test_one_of_several_tables_is_named_and_never_guessed(tmp_path: Path):
    path = tmp_path / "grids.fits"
    hdus = [fits.table_to_hdu(GRID, name=name) for name in ("OLD", "NEW")]
    hdus.append(fits.table_to_hdu(Table({"ra": [1.0]})))
    hdus[1].data["MJD"] += 7
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    assert list(grid(Path(f"{path}[new]")).mjd) == [59807.5, 60007.0]
    sentence = (
        r"^grids\.fits: 2 tables have these columns; name one: grids\.fits\[1\], grids\.fits\[2"
    )
    with pytest.raises(InputError, match=sentence):
        grid(path)


def test_counts_are_the_instruments():
    card = load_instrument("wfc3", "test")
    units = {name: one.unit for name, one in columns(card).items()}
    for stated, expected in (("ct/s", "electron/s"), ("e-/s", "electron/s"), ("DN/s", "DN/s")):
        table, notes = Table({"iflux": [1.0]}), []
        table["iflux"].unit = {"e-/s": "electron/s"}.get(stated, stated)
        settle_units([table], units, "CSV", "t.csv", notes)
        assert table["iflux"].unit == u.Unit(expected), stated
        assert bool(notes) == (stated == "ct/s")


TOML_TIMES = ("2026-03-01", "2026-03-01 06:00:00Z", "61100.5", "2461101.0")


@pytest.mark.parametrize(
    ("text", "mjd"),
    [
        ("2026-03-01", 61100.0),
        ("2026-03-01T12:00", 61100.5),
        ("2026-03-01 06:00:00Z", 61100.25),
        ("61100.5", 61100.5),
        ("2461101.0", 61100.5),
    ],
)
def test_epochs_of_options_and_jobs_are_days_or_dates(text: str, mjd: float, tmp_path: Path):
    from mirical.cli import _parser

    for command in (["factors", "published", "--filter", "F770W"], ["compare", "published"]):
        assert _parser().parse_args([*command, "--mjd", text]).mjd == [mjd]
    assert _parser().parse_args(["run", "--mjd", text]).mjd == mjd
    assert _parser().parse_args(["rivals", "RUN", "--until", text]).until == mjd
    job = tmp_path / "own.toml"
    for value in {f'"{text}"', *([text] if text in TOML_TIMES else [])}:
        job.write_text(f'photometry = "table5"\nmodel = "hierarchical"\nreference_mjd = {value}\n')
        assert load_job(str(job)).reference_mjd == mjd


def test_an_epoch_that_is_none_is_refused():
    from mirical.console.shared import epoch

    for text in ("yesterday", "2026-13-01", "1.3.2026", "nan-1"):
        with pytest.raises(ArgumentTypeError, match=r"^the epoch"):
            epoch(text)


JOB = 'photometry = "rows.csv"\nmodel = "hierarchical"\n[columns]\n'


def test_a_job_names_the_columns_of_its_table(tmp_path: Path):
    from mirical.jobs.inputs import resolve_job

    table = Table.read(Path("src/mirical/data/table5.ecsv"), format="ascii.ecsv")
    table.rename_columns(["iflux", "filter"], ["FLUX_APER", "bp"])
    table.write(tmp_path / "rows.csv", format="ascii.csv")
    (tmp_path / "own.toml").write_text(f'{JOB}iflux = "FLUX_APER"\nfilter = "bp"\n')
    job = load_job(str(tmp_path / "own.toml"))
    design, printed = resolve_job(job).design, resolve_job(load_job("table5")).design
    np.testing.assert_array_equal(design.log_factor, printed.log_factor)
    assert with_options(job, {"photometry": "other.fits[2]"}, {}).columns == job.columns


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('iflx = "F"', "own.toml: columns: unknown key 'iflx'; did you mean 'iflux'"),
        ("iflux = 3", "own.toml: columns iflux is 3; expected the name of a column in quotes."),
        ('iflux = "F"\nflux = "F"', "own.toml: columns names 'F' twice; a column is one thing."),
    ],
)
def test_names_of_columns_that_are_none_are_refused(line: str, sentence: str, tmp_path: Path):
    (tmp_path / "own.toml").write_text(f"{JOB}{line}\n")
    with pytest.raises(InputError, match=f"^{sentence}".replace("[", r"\[")):
        load_job(str(tmp_path / "own.toml"))


def test_dates_of_astropy_are_epochs():
    from mirical.tables.quantities import epoch_of

    assert epoch_of(Time(61100.5, format="mjd"), "test") == 61100.5
