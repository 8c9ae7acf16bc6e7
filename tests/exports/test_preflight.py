"""Faults planted in a photom reference file, what is found of them, and what the pipeline does."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table, vstack
from crds.certify.validators import validator
from crds.core.generic_tpn import TpnInfo
from crds.core.timestamp import Jwstdate
from jwst.photom import PhotomStep
from jwst.photom.photom import MatchFitsTableRowError
from stdatamodels.jwst import datamodels

from miri_facts import MIRI
from mirical.calibration.published import PublishedCalibration
from mirical.errors import InputError
from mirical.exports.photom_file import About, PhotomRows, read_photom, write_photom
from mirical.exports.pipeline_export import about, mean_rows
from mirical.exports.preflight import CHECKS, preflight
from mirical.exports.preflight_file import ERROR, WARNING, Finding

PUBLISHED = PublishedCalibration(MIRI)
EXPONENTIAL, LINEAR, POWER = (f"TIMECOEFF_{n}" for n in ("EXPONENTIAL", "LINEAR", "POWERLAW"))
MASKS = ("MASK1065", "MASK1140", "MASK1550", "MASKLYOT")

Tables = dict[str, Table]
Fault = Callable[[Tables, fits.Header], None]


def published_rows(functions: Iterable[str]) -> PhotomRows:
    """Return Table 8 as a reference file's rows, with any of the pipeline's functions."""
    pairs = [
        (i, band, name) for i, band in enumerate(PUBLISHED.bands) for name in MIRI.readouts(band)
    ]
    index, filters, subarrays = zip(*pairs, strict=True)
    of = {n: PUBLISHED.coefficients[n].value[list(index)] for n in ("A", "B", "tau", "sigma_cf")}
    one = np.ones(len(pairs))
    tables = {
        "exponential": {"amplitude": -of["B"] / of["A"], "tau": of["tau"], "const": one},
        "linear": {"lossperyear": 0.002 * one},
        "powerlaw": {"year1value": 4.65**-0.005 * one, "tsoft": 100 * one, "alpha": -0.005 * one},
    }
    chosen = {name: tables[name] | {"t0": 59720.0 * one} for name in functions}
    return PhotomRows(filters, subarrays, of["A"], of["sigma_cf"], chosen)


def written(path: Path, functions: Iterable[str] = ("exponential",), history: str = "") -> Path:
    path.write_bytes(_bytes(tuple(functions), history))
    return path


@cache
def _bytes(functions: tuple[str, ...], history: str) -> bytes:
    about = About("test", "SIMULATION", "2022-05-21T00:00:00", [history] if history else [])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "photom.fits"
        write_photom(published_rows(functions), about, path)
        return path.read_bytes()


def spoilt(path: Path, *faults: Fault) -> Path:
    """Put faults into a file."""
    with fits.open(path, memmap=False) as extensions:
        header = extensions[0].header.copy()
        for checksum in ("CHECKSUM", "DATASUM"):  # those of a file that was not spoilt
            header.remove(checksum, ignore_missing=True)
        tables = {e.name: Table(e.data).copy() for e in extensions[1:]}
    for table in tables.values():
        table.convert_bytestring_to_unicode()
        table.meta.clear()
    for fault in faults:
        fault(tables, header)
    made = [fits.BinTableHDU(table, name=name) for name, table in tables.items()]
    fits.HDUList([fits.PrimaryHDU(header=header), *made]).writeto(path, overwrite=True)
    return path


def codes(found: Iterable[Finding]) -> set[str]:
    return {finding.code for finding in found}


def where(table: Table, band: str | None = None, subarray: str | None = None) -> Any:
    chosen = np.ones(len(table), dtype=bool)
    if band:
        chosen &= np.asarray(table["filter"] == band)
    if subarray:
        chosen &= np.asarray(table["subarray"] == subarray)
    return chosen


def without(band: str, *subarrays: str) -> Fault:
    """Take rows out of all tables."""

    def fault(tables: Tables, header: fits.Header) -> None:
        for table in tables.values():
            for subarray in subarrays or (None,):
                table.remove_rows(np.flatnonzero(where(table, band, subarray)))

    return fault


def again(band: str, subarray: str, /, **renamed: str) -> Fault:
    """Add a row to all tables, a copy of one of theirs but for some names."""

    def fault(tables: Tables, header: fits.Header) -> None:
        for name, table in tables.items():
            row = table[where(table, band, subarray)]
            for column, value in renamed.items():
                row[column] = [value]
            tables[name] = vstack([table, row])

    return fault


def named(column: str, change: Callable[[str], str], band: str = "", subarray: str = "") -> Fault:
    """Change names in all tables."""

    def fault(tables: Tables, header: fits.Header) -> None:
        for table in tables.values():
            chosen = where(table, band, subarray)
            of = list(map(str, table[column]))
            table[column] = [change(n) if k else n for n, k in zip(of, chosen, strict=True)]

    return fault


def value(
    column: str, change: Any, band: str = "", subarray: str = "", table: str = EXPONENTIAL
) -> Fault:
    """Change numbers of a table: to a number, or by a function."""

    def fault(tables: Tables, header: fits.Header) -> None:
        of = tables[table]
        chosen = where(of, band, subarray)
        of[column][chosen] = change(of[column][chosen]) if callable(change) else change

    return fault


def factor(change: Any, band: str = "", subarray: str = "") -> Fault:
    return value("photmjsr", change, band, subarray, "PHOTOM")


def uncertainty(change: Any, band: str = "", subarray: str = "") -> Fault:
    return value("uncertainty", change, band, subarray, "PHOTOM")


def fraction(times: float) -> Fault:
    """Write uncertainties as a fraction of the factor, or that times a hundred."""

    def fault(tables: Tables, header: fits.Header) -> None:
        photom = tables["PHOTOM"]
        photom["uncertainty"] = times * photom["uncertainty"] / photom["photmjsr"]

    return fault


def exchanged(one: str, other: str) -> Fault:
    """Exchange the rows of two bands."""
    return named("filter", lambda name: {one: other, other: one}.get(name, name))


def keyword(name: str, value: object = None) -> Fault:
    def fault(tables: Tables, header: fits.Header) -> None:
        header.pop(name)
        if value is not None:
            header[name] = value

    return fault


def in_table(change: Callable[[Table], Any], name: str = EXPONENTIAL) -> Fault:
    """Change a table as a whole; what is returned takes its place."""

    def fault(tables: Tables, header: fits.Header) -> None:
        made = change(tables[name])
        if made is not None:
            tables[name] = made

    return fault


def called(name: str, columns: Iterable[str] = ()) -> Fault:
    """Give the time table another name, and no other columns than some."""

    def fault(tables: Tables, header: fits.Header) -> None:
        table = tables.pop(EXPONENTIAL)
        tables[name] = table[list(columns)] if columns else table

    return fault


def additive(tables: Tables, header: fits.Header) -> None:
    """Put the paper's B, in the unit of the factor, for the amplitude of the throughput."""
    tables[EXPONENTIAL]["amplitude"] *= -tables["PHOTOM"]["photmjsr"]


def swapped(tables: Tables, header: fits.Header) -> None:
    """Exchange the coefficients of two rows under names in the right order."""
    table = tables[EXPONENTIAL]
    a, b = (int(np.flatnonzero(where(table, *p))[0]) for p in (("F770W", "SUB64"), ("F2550W",)))
    for name in ("amplitude", "tau"):
        table[name][[a, b]] = table[name][[b, a]]


def older(tables: Tables, header: fits.Header) -> None:
    """Add the table of older pipelines to the one that is read."""
    tables["TIMECOEFF"] = tables[EXPONENTIAL]["amplitude", "tau", "t0"]


def gone(tables: Tables, header: fits.Header) -> None:
    """Take the time table away."""
    del tables[EXPONENTIAL]


def both(*faults: Fault) -> Fault:
    def fault(tables: Tables, header: fits.Header) -> None:
        for one in faults:
            one(tables, header)

    return fault


NEGATIVE: Callable[[Any], Any] = np.negative
OLD = called("TIMECOEFF", ("amplitude", "tau", "t0"))
SUB256 = ("F770W", "SUB256")
PER_ARCSEC2 = 2.3504e-11
FEWER_NAMES = {"truncated-subarray", "missing-newer-row"}

FAULTS: dict[str, tuple[Fault, set[str]]] = {
    "row missing": (without(*SUB256), {"missing-row"}),
    "prism row missing": (without("F560W", "SLITLESSPRISM"), {"missing-row"}),
    "mask's row missing": (without("F1065C", "MASK1065"), {"missing-row"}),
    "newer row missing": (without("F770W", "SUB64_IP"), {"missing-newer-row"}),
    "acquisition rows missing": (without("F1000W", *MASKS), {"missing-newer-row"}),
    "band missing": (without("F1500W"), {"missing-band"}),
    "row twice": (again(*SUB256), {"duplicate-row"}),
    "row twice but for case": (
        again(*SUB256, filter="f770w"),
        {"duplicate-row", "lower-case-name"},
    ),
    "names of 15 letters": (named("subarray", lambda name: name[:15]), FEWER_NAMES),
    "names of 12 letters": (named("subarray", lambda n: n[:12]), FEWER_NAMES | {"missing-row"}),
    "names of 13 letters": (
        named("subarray", lambda name: name[:13]),
        {"duplicate-row", "missing-newer-row"},
    ),
    "filter in lower case": (named("filter", str.lower), {"lower-case-name"}),
    "blank before a filter": (
        named("filter", lambda name: f" {name}", *SUB256),
        {"blank-before-name", "missing-row"},
    ),
    "blank before a subarray": (
        named("subarray", lambda name: f" {name}", *SUB256),
        {"blank-before-name", "missing-row"},
    ),
    "unknown filter": (again(*SUB256, filter="F700W"), {"unknown-filter"}),
    "unknown subarray": (again(*SUB256, subarray="SUB512"), {"unknown-subarray"}),
    "no uncertainty": (
        in_table(lambda table: table.remove_column("uncertainty"), "PHOTOM"),
        {"wrong-columns"},
    ),
    "factor zero": (factor(0.0, *SUB256), {"bad-factor"}),
    "factor negative": (factor(NEGATIVE, *SUB256), {"bad-factor"}),
    "factor NaN": (factor(np.nan, "F770W", "FULL"), {"bad-factor"}),
    "factor infinite": (factor(np.inf, *SUB256), {"bad-factor"}),
    "bands exchanged": (exchanged("F1130W", "F770W"), {"far-factor"}),
    "like bands exchanged": (exchanged("F1280W", "F2100W"), {"unusual-loss"}),
    "factors of a square arcsecond": (
        both(factor(lambda c: c * PER_ARCSEC2), uncertainty(lambda u: u * PER_ARCSEC2)),
        {"far-factor"},
    ),
    "subarray far from FULL": (
        factor(lambda c: 1.12 * c, *SUB256),
        {"subarray-ratio", "unusual-factor"},
    ),
    "uncertainty zero": (uncertainty(0.0, *SUB256), {"bad-uncertainty"}),
    "uncertainty NaN": (uncertainty(np.nan, *SUB256), {"bad-uncertainty"}),
    "uncertainty negative": (uncertainty(NEGATIVE, *SUB256), {"bad-uncertainty"}),
    "uncertainties all zero": (uncertainty(0.0), {"bad-uncertainty"}),
    "uncertainty large": (uncertainty(0.37, *SUB256), {"large-uncertainty"}),
    "uncertainty small": (uncertainty(1e-6, *SUB256), {"small-uncertainty"}),
    "uncertainties in percent": (fraction(100.0), {"relative-uncertainty"}),
    "uncertainties as fractions": (fraction(1.0), {"relative-uncertainty"}),
    "another instrument": (keyword("INSTRUME", "NIRCAM"), {"wrong-keyword"}),
    "another detector": (keyword("DETECTOR", "MIRIFUSHORT"), {"wrong-keyword"}),
    "another type": (keyword("REFTYPE", "area"), {"wrong-keyword"}),
    "another telescope": (keyword("TELESCOP", "HST"), {"wrong-keyword"}),
    "USEAFTER in words": (keyword("USEAFTER", "May 1 2022"), {"wrong-keyword"}),
    "USEAFTER of no day": (keyword("USEAFTER", "2022-02-30T00:00:00"), {"wrong-keyword"}),
    "USEAFTER with a blank": (keyword("USEAFTER", "2022-05-01 00:00:00"), {"wrong-keyword"}),
    "USEAFTER a number": (keyword("USEAFTER", 20220501), {"wrong-keyword"}),
    "PEDIGREE without dates": (keyword("PEDIGREE", "INFLIGHT"), {"wrong-keyword"}),
    "PEDIGREE of slashes": (
        keyword("PEDIGREE", "INFLIGHT 01/05/2022 01/06/2022"),
        {"wrong-keyword"},
    ),
    "PEDIGREE backwards": (
        keyword("PEDIGREE", "INFLIGHT 2023-01-01 2022-01-01"),
        {"wrong-keyword"},
    ),
    "PEDIGREE unknown": (keyword("PEDIGREE", "MADE"), {"wrong-keyword"}),
    "AUTHOR blank": (keyword("AUTHOR", " "), {"wrong-keyword"}),
    "TELESCOP missing": (keyword("TELESCOP"), {"missing-keyword"}),
    "other exposures": (keyword("EXP_TYPE", "MIR_MRS"), {"wrong-keyword"}),
    "other exposures, in the list": (keyword("P_EXP_TY", "MIR_MRS|"), {"wrong-keyword"}),
    **{
        f"{name} missing": (keyword(name), {"missing-keyword"})
        for name in ("USEAFTER", "PEDIGREE", "DESCRIP", "AUTHOR", "REFTYPE", "INSTRUME")
    },
    "no model": (keyword("DATAMODL"), {"wrong-model"}),
    "another model": (keyword("DATAMODL", "MirLrsPhotomModel"), {"wrong-model"}),
    "no solid angle": (keyword("PIXAR_SR"), {"no-pixel-area"}),
    "no area": (keyword("PIXAR_A2"), {"no-pixel-area"}),
    "solid angle of NIRCam": (keyword("PIXAR_SR", 2.3e-14), {"wrong-pixel-area"}),
    "area in steradian": (keyword("PIXAR_A2", 2.8606e-13), {"wrong-pixel-area"}),
    "no time table": (gone, {"no-time-dependence"}),
    "old time table": (OLD, {"old-time-table"}),
    "old time table beside the new": (older, {"old-time-table"}),
    "time table misspelt": (called("TIMECOEFF_EXP"), {"misspelt-time-table"}),
    "coefficients under any name": (called("DECAY"), {"misspelt-time-table"}),
    "time table in another order": (in_table(lambda table: table[::-1]), {"time-table-order"}),
    "time table too short": (in_table(lambda table: table[:-3]), {"time-table-length"}),
    "time table without tau": (
        in_table(lambda table: table.remove_column("tau")),
        {"wrong-columns"},
    ),
    "time table with more": (
        in_table(lambda table: table.add_column(1.0, name="error")),
        {"wrong-columns"},
    ),
    "coefficients of another row": (
        swapped,
        {"time-law-of-subarray", "unusual-factor", "unusual-loss"},
    ),
    "sign of the amplitude": (
        value("amplitude", NEGATIVE, "F1800W"),
        {"rising-throughput", "unusual-factor"},
    ),
    "sign of a small amplitude": (value("amplitude", NEGATIVE, "F1000W"), {"rising-throughput"}),
    "sign in one row": (
        value("amplitude", NEGATIVE, "F1280W", "SUB64"),
        {"rising-throughput", "time-law-of-subarray"},
    ),
    "amplitude in units of the factor": (
        additive,
        {
            "rising-throughput",
            "impossible-throughput",
            "far-factor",
            "unusual-factor",
            "unusual-loss",
        },
    ),
    "level divided out twice": (
        value("const", 2.0, "F1800W"),
        {"far-throughput", "far-factor"},
    ),
    "const NaN": (value("const", np.nan, "F1800W"), {"impossible-throughput"}),
    "tau zero": (value("tau", 0.0, "F560W"), {"bad-tau", "impossible-throughput"}),
    "tau in years": (value("tau", 0.55, "F560W"), {"unusual-tau"}),
    "tau of a century": (value("tau", 36500.0, "F560W"), {"unusual-tau"}),
    "t0 zero": (value("t0", 0.0, "F560W"), {"t0-outside-mission", "mixed-t0"}),
    "t0 all zero": (
        value("t0", 0.0),
        {"t0-outside-mission", "unusual-factor", "unusual-loss"},
    ),
    "t0 as a JD": (
        value("t0", 2459720.5, "F560W"),
        {"t0-outside-mission", "mixed-t0", "impossible-throughput"},
    ),
    "t0 of another row": (value("t0", 59725.0, "F560W"), {"mixed-t0"}),
}

FAULTS_OF_THREE: dict[str, tuple[Fault, set[str]]] = {
    "a gain a year": (
        value("lossperyear", -0.02, table=LINEAR),
        {"rising-throughput", "unusual-loss"},
    ),
    "loss of everything": (
        value("lossperyear", 0.2, table=LINEAR),
        {"impossible-throughput", "unusual-loss"},
    ),
    "sign of alpha": (
        value("alpha", 0.05, table=POWER),
        {"rising-throughput", "unusual-loss", "unusual-factor"},
    ),
    "tsoft zero": (
        value("tsoft", 0.0, "F560W", table=POWER),
        {"bad-tsoft", "impossible-throughput"},
    ),
    "tsoft shorter than the wait for t0": (
        both(
            *(value("t0", 59725.0, table=name) for name in (EXPONENTIAL, LINEAR, POWER)),
            value("tsoft", 2.0, "F560W", table=POWER),
        ),
        {"bad-tsoft", "impossible-throughput"},
    ),
    "year1value zero": (
        value("year1value", 0.0, "F560W", table=POWER),
        {"bad-year1value", "impossible-throughput"},
    ),
    "year1value of the factor": (
        value("year1value", 1.08, "F560W", table=POWER),
        {"unusual-year1value"},
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_and_no_other(name: str, tmp_path: Path):
    fault, expected = FAULTS[name]
    found = preflight(spoilt(written(tmp_path / "photom.fits"), fault))
    assert codes(found) == expected
    for finding in found:
        assert re.search("pipeline|images", finding.sentence)
        assert re.search(r"[^.?][.?]$", finding.sentence) and "  " not in finding.sentence


@pytest.mark.parametrize("name", FAULTS_OF_THREE)
def test_a_fault_planted_among_three_functions_is_found(name: str, tmp_path: Path):
    fault, expected = FAULTS_OF_THREE[name]
    path = written(tmp_path / "photom.fits", ("exponential", "linear", "powerlaw"))
    assert codes(preflight(spoilt(path, fault))) == expected


@pytest.mark.parametrize(
    "functions",
    [("exponential",), ("exponential", "linear"), ("exponential", "linear", "powerlaw")],
)
def test_nothing_is_found_in_a_good_file(functions: tuple[str, ...], tmp_path: Path):
    path = written(tmp_path / "photom.fits", functions)
    assert preflight(path) == []
    assert preflight(spoilt(path)) == []
    assert preflight(path, against=path) == []


def test_nothing_is_found_in_a_file_of_generic_rows(tmp_path: Path):
    def generic(tables: Tables, header: fits.Header) -> None:
        for name, table in tables.items():
            tables[name] = table[where(table, subarray="FULL")]
            tables[name]["subarray"] = "GENERIC"

    assert preflight(spoilt(written(tmp_path / "photom.fits"), generic)) == []


def test_nothing_is_found_in_the_exported_published_calibration(tmp_path: Path):
    path = tmp_path / "photom.fits"
    exported = mean_rows(PUBLISHED)
    write_photom(exported.rows, about(PUBLISHED, exported), path)
    assert preflight(path) == []


def test_a_fault_of_many_rows_is_one_finding_that_names_the_bands_and_the_first(tmp_path: Path):
    path = spoilt(written(tmp_path / "photom.fits"), factor(0.0, "F560W"), factor(0.0, "F2550W"))
    (finding,) = preflight(path)
    number = len(MIRI.readouts("F560W")) + len(MIRI.readouts("F2550W"))
    expected = f"PHOTOM {number} rows of F560W, F2550W, from row 1 (F560W in FULL) on"
    assert finding.where == expected
    assert finding.severity == ERROR and "(MJy/sr)/(DN/s/pixel)" in finding.sentence


def test_a_fault_of_few_rows_names_them(tmp_path: Path):
    path = spoilt(written(tmp_path / "photom.fits"), factor(0.0, "F560W", "BRIGHTSKY"))
    (finding,) = preflight(path)
    k = MIRI.readouts("F560W").index("BRIGHTSKY") + 1
    assert finding.where == f"PHOTOM row {k} (F560W in BRIGHTSKY)"


def test_missing_rows_are_named_and_errors_come_first(tmp_path: Path):
    path = spoilt(
        written(tmp_path / "photom.fits"),
        uncertainty(0.0),
        without("F770W", "SUB256", "SUB64", "SUB64_IP"),
        without("F560W", "SUB256"),
    )
    found = preflight(path)
    assert [f.severity for f in found] == [ERROR, WARNING, WARNING]
    assert "F560W, F770W in SUB256; F770W in SUB64:" in found[0].sentence
    assert "F770W in SUB64_IP:" in found[1].sentence


def test_swapped_coefficients_are_said_to_be_another_bands(tmp_path: Path):
    path = spoilt(written(tmp_path / "photom.fits"), swapped)
    (finding,) = (f for f in preflight(path) if f.code == "time-law-of-subarray")
    assert finding.severity == WARNING
    assert "(those of F770W in SUB64 are the ones of F2550W)" in finding.sentence
    assert "F770W in SUB64" in finding.where and "F2550W in FULL" in finding.where


def test_a_slight_rise_is_a_warning_and_a_larger_one_an_error(tmp_path: Path):
    severity = {}
    for band in ("F1000W", "F1280W"):
        path = spoilt(written(tmp_path / f"{band}.fits"), value("amplitude", NEGATIVE, band))
        (severity[band],) = (f.severity for f in preflight(path))
    assert severity == {"F1000W": WARNING, "F1280W": ERROR}


def test_an_old_table_beside_the_new_is_no_error(tmp_path: Path):
    (beside,) = preflight(spoilt(written(tmp_path / "beside.fits"), older))
    (alone,) = preflight(spoilt(written(tmp_path / "alone.fits"), OLD))
    assert (beside.severity, alone.severity) == (WARNING, ERROR)
    assert alone.where == "TIMECOEFF" and "TIMECOEFF_EXPONENTIAL" in alone.sentence


def test_a_misspelt_table_is_told_its_name(tmp_path: Path):
    (found,) = preflight(spoilt(written(tmp_path / "photom.fits"), called("TIMECOEF_LINEAR")))
    assert found.sentence.endswith("did you mean 'TIMECOEFF_LINEAR'?")


def test_another_file_tells_jumps_and_lost_rows(tmp_path: Path):
    other = written(tmp_path / "old.fits")
    path = spoilt(
        written(tmp_path / "new.fits"),
        factor(lambda c: 1.015 * c, "F560W"),
        factor(lambda c: 1.08 * c, *SUB256),
        value("amplitude", lambda a: 0.9 * a, "F2550W"),
        without("F1000W", "SUBSLIT"),
    )
    assert codes(preflight(path)) == {"missing-newer-row"}
    found = {(f.code, f.severity): f for f in preflight(path, against=other)}
    assert set(found) - {("missing-newer-row", WARNING)} == {
        ("jump", WARNING),
        ("jump", ERROR),
        ("lost-row", ERROR),
    }
    assert "F1000W in SUBSLIT" in found["lost-row", ERROR].sentence
    large, small = found["jump", ERROR], found["jump", WARNING]
    assert "+8.0 % at most, F770W in SUB256 at MJD" in large.sentence
    # 1.2219 of throughput at t0 becomes 1 + 0.9 x 0.2219.
    change = 100 * ((1 + 0.2011 / 0.9064) / (1 + 0.9 * 0.2011 / 0.9064) - 1)
    assert f"{change:+.1f} % at most, F2550W in FULL at MJD 59720" in small.sentence
    assert "F560W, F2550W" in small.where and "old.fits" in small.sentence


def test_a_row_that_falls_back_on_a_generic_one_is_not_lost(tmp_path: Path):
    other = written(tmp_path / "old.fits")
    path = spoilt(
        written(tmp_path / "new.fits"),
        again("F1000W", "FULL", subarray="GENERIC"),
        without("F1000W", "SUBSLIT", "SUB64"),
    )
    assert preflight(path, against=other) == []


def test_epochs_beyond_the_data_are_extrapolated_if_the_file_says_what_the_data_are(tmp_path: Path):
    line = "fitted to rows from MJD 59750.2 to 60600.0"
    path = written(tmp_path / "photom.fits", history=line)
    assert preflight(path, span=(59760, 60590)) == []
    for span in ((59720, 60590), (59760, 60700)):
        (finding,) = preflight(path, span=span)
        assert (finding.code, finding.severity) == ("extrapolated", WARNING)
        assert "MJD 59750.2 to 60600.0" in finding.sentence


def test_a_throughput_that_runs_away_after_the_data_is_told(tmp_path: Path):
    line = "fitted to rows from MJD 59720.0 to 60085.0"
    path = written(tmp_path / "photom.fits", ("exponential", "linear"), history=line)
    spoilt(path, value("lossperyear", 0.02, "F560W", table=LINEAR))
    assert codes(preflight(path, span=(59720, 60085 + 730))) == {"extrapolated", "unusual-loss"}
    found = {f.code: f for f in preflight(path, span=(59720, 60085 + 1095))}
    assert set(found) == {"extrapolated", "drifts-beyond-data", "unusual-loss"}
    # 0.98 of the throughput a year after t0, 0.92 four years after it.
    assert "-6.1 % after the last data, to MJD 61180" in found["drifts-beyond-data"].sentence
    assert "F560W" in found["drifts-beyond-data"].where


@pytest.mark.parametrize(
    ("useafter", "pedigree"),
    [
        ("2022-05-01T00:00:00", "INFLIGHT 2022-05-01 2024-05-01"),
        ("2022-05-01", "model 2022-05-01 2022-05-01"),
        ("2024-02-29T23:59:59", "GROUND"),
        ("May 1 2022", "INFLIGHT 2022-5-1 2024-05-01"),
        ("2023-02-29", "GROUND 2022-05-01 2024-05-01"),
        ("2022-05-01T24:00:00", "INFLIGHT 2022-05-01T00:00:00 2024-05-01T00:00:00"),
        ("2022-05-01T00:00", "DUMMY 1"),
    ],
)
def test_dates_and_pedigrees_are_judged_as_crds_judges_them(
    useafter: str, pedigree: str, tmp_path: Path
):
    path = written(tmp_path / "photom.fits")
    spoilt(path, keyword("USEAFTER", useafter), keyword("PEDIGREE", pedigree))
    found = {finding.where: finding.sentence for finding in preflight(path)}
    try:
        Jwstdate.get_datetime(useafter)
    except ValueError:
        assert "expected YYYY-MM-DDTHH:MM:SS" in found.pop("USEAFTER")
    info = TpnInfo("PEDIGREE", "H", "C", "R", ("&JWSTPEDIGREE",))
    try:
        validator(info)._check_value("photom.fits", pedigree)
    except ValueError:
        assert "expected INFLIGHT YYYY-MM-DD YYYY-MM-DD" in found.pop("PEDIGREE")
    assert found == {}


def test_a_file_that_was_edited_is_told(tmp_path: Path):
    path = written(tmp_path / "photom.fits")
    raw = path.read_bytes()
    assert raw.count(b"'SIMULATION'") == 1
    path.write_bytes(raw.replace(b"'SIMULATION'", b"'MODEL     '"))
    (finding,) = preflight(path)
    assert (finding.code, finding.severity) == ("wrong-checksum", WARNING)
    with pytest.raises(InputError, match="photom.fits: its checksum is wrong, so it has changed"):
        read_photom(path)


def test_random_damage_becomes_findings_or_one_sentence(tmp_path: Path):
    path = written(tmp_path / "photom.fits")
    raw, random, refused = path.read_bytes(), np.random.default_rng(3), 0
    names = {at: raw[at : at + 10].rstrip(b"= ") for at in range(0, len(raw), 80)}
    harmless = {b"CHECKSUM", b"DATASUM", b"END"}
    cards = [at for at, name in names.items() if name.isalnum() and name not in harmless]
    for _ in range(60):
        damaged = bytearray(raw)
        at = int(random.choice(cards))
        for byte in random.integers(at, at + 32, size=3):
            damaged[byte] = random.integers(32, 127)
        path.write_bytes(bytes(damaged[: random.integers(1, 6 * len(raw))]))
        try:
            found = preflight(path)
        except InputError as error:
            assert "\n" not in str(error)
            refused += 1
        else:
            assert found or bytes(damaged) == raw
    assert 5 < refused < 55


def test_there_is_a_planted_fault_for_everything_that_is_found():
    planted = {
        code for _, expected in (*FAULTS.values(), *FAULTS_OF_THREE.values()) for code in expected
    }
    assert len(FAULTS) + len(FAULTS_OF_THREE) > 60 and len(planted) > 30
    assert len(CHECKS) == len(set(CHECKS)) == 16


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (lambda tables, header: tables.pop("PHOTOM"), "has no PHOTOM table"),
        (in_table(lambda t: t.remove_column("photmjsr"), "PHOTOM"), "PHOTOM has not the columns"),
        (in_table(lambda t: t.remove_column("subarray"), "PHOTOM"), "PHOTOM has not the columns"),
        (in_table(lambda t: t[:0], "PHOTOM"), "PHOTOM has no rows"),
        (
            in_table(lambda t: t.replace_column("photmjsr", t["filter"]), "PHOTOM"),
            "not the columns",
        ),
    ],
)
def test_what_is_no_reference_file_of_the_imager_is_refused(
    fault: Fault, sentence: str, tmp_path: Path
):
    with pytest.raises(InputError, match=f"photom.fits: .*{sentence}"):
        preflight(spoilt(written(tmp_path / "photom.fits"), fault))


@pytest.mark.parametrize("kept", [100, 9000, 18000])
def test_a_file_cut_short_is_refused(kept: int, tmp_path: Path):
    path = written(tmp_path / "photom.fits")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match="photom.fits: is cut short or damaged; copy or"):
        preflight(path)


def test_a_file_that_is_not_there_is_refused_and_so_is_the_other(tmp_path: Path):
    path = written(tmp_path / "photom.fits")
    with pytest.raises(InputError, match="none.fits: no such file"):
        preflight(path, against=tmp_path / "none.fits")


@pytest.mark.parametrize("span", [(60000, 59800), (59800, 59800), (np.nan, 60000), (0, np.inf)])
def test_a_span_of_no_length_is_refused(span: tuple[float, float], tmp_path: Path):
    with pytest.raises(InputError, match="expected an earlier and a later epoch"):
        preflight(written(tmp_path / "photom.fits"), span=span)


def applied(path: Path, band: str, subarray: str, monkeypatch: pytest.MonkeyPatch) -> float:
    """Return what the installed pipeline makes of a count rate of one, 40 days after t0."""
    monkeypatch.setenv("STPIPE_DISABLE_CRDS_STEPPARS", "true")
    step = PhotomStep()
    step.override_photom, step.override_area = str(path), "N/A"
    data, err = (np.ones((2, 2), dtype=np.float32) for _ in range(2))
    image = datamodels.ImageModel(data=data, err=err)
    image.meta.instrument.name, image.meta.instrument.detector = "MIRI", "MIRIMAGE"
    image.meta.instrument.filter, image.meta.subarray.name = band, subarray
    image.meta.exposure.type, image.meta.exposure.mid_time = "MIR_IMAGE", 59760.0
    with step.process(image) as result:
        assert result.meta.cal_step.photom == "COMPLETE"
        return float(result.data[0, 0])


A, B, TAU = 0.9064, -0.2011, 235.4
"""Table 8 of F2550W."""
LEFT = np.exp(-40 / TAU)
RIGHT = A / (1 - B / A * LEFT)

SILENT: dict[str, tuple[tuple[str, str], float]] = {
    "row missing": (SUB256, 1.0),
    "names of 15 letters": (("F770W", "SLITLESSPRISM_IPS"), 1.0),
    "blank before a filter": (SUB256, 1.0),
    "factor negative": (SUB256, -0.2579 / (1 + 0.0001 / 0.2579 * np.exp(-0.2))),
    "factor NaN": (("F770W", "FULL"), np.nan),
    "another instrument": (("F2550W", "FULL"), RIGHT),
    "another detector": (("F2550W", "FULL"), RIGHT),
    "other exposures": (("F2550W", "FULL"), RIGHT),
    "no solid angle": (("F2550W", "FULL"), RIGHT),
    "filter in lower case": (("F2550W", "FULL"), RIGHT),
    "old time table": (("F2550W", "FULL"), A),
    "time table misspelt": (("F2550W", "FULL"), A),
    "coefficients of another row": (("F2550W", "FULL"), A / (1 + 0.0001 / 0.2579 * np.exp(-0.2))),
    "amplitude in units of the factor": (("F2550W", "FULL"), A / (1 + B * LEFT)),
    "sign of the amplitude": (("F1800W", "FULL"), 0.5067 / (1 - 0.0407 / 0.5067 * 0.82011)),
    "level divided out twice": (("F1800W", "FULL"), 0.5067 / (2 + 0.0407 / 0.5067 * 0.82011)),
    "t0 all zero": (("F2550W", "FULL"), A),
}
"""What the pipeline takes without a word: the image, and what becomes of a count rate of one."""


@pytest.mark.parametrize("name", SILENT)
def test_the_pipeline_says_complete_to(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = spoilt(written(tmp_path / "photom.fits"), FAULTS[name][0])
    image, expected = SILENT[name]
    found = applied(path, *image, monkeypatch)
    assert found == pytest.approx(expected, rel=2e-5, nan_ok=True)


STOPPING: dict[str, type[Exception]] = {
    "row twice": MatchFitsTableRowError,
    "row twice but for case": MatchFitsTableRowError,
    "no uncertainty": ValueError,
    "USEAFTER missing": ValueError,
    "PEDIGREE missing": ValueError,
    "DESCRIP missing": ValueError,
    "INSTRUME missing": ValueError,
    "no model": AttributeError,
    "another model": ValueError,
    "time table in another order": ValueError,
    "time table too short": ValueError,
    "time table without tau": ValueError,
    "time table with more": ValueError,
}
"""What the pipeline does not take."""


@pytest.mark.parametrize("name", STOPPING)
def test_the_pipeline_stops_at(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = spoilt(written(tmp_path / "photom.fits"), FAULTS[name][0])
    # Some stops are announced by warnings.
    with warnings.catch_warnings(action="ignore"), pytest.raises(STOPPING[name]):
        applied(path, *SUB256, monkeypatch)


def test_the_pipeline_takes_a_generic_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = spoilt(
        written(tmp_path / "photom.fits"),
        again("F2550W", "FULL", subarray="GENERIC"),
        without("F2550W", "SUBSLIT"),
    )
    assert applied(path, "F2550W", "SUBSLIT", monkeypatch) == pytest.approx(RIGHT, rel=2e-5)
