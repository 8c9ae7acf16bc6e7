"""Any table people have: every variant gives the same posterior inputs, or one sentence."""

from __future__ import annotations

import gzip
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table
from astropy.time import Time

from miri_facts import MIRI
from mirical.errors import InputError
from mirical.model.design import make_design
from mirical.tables.apertures import published_apertures
from mirical.tables.calibration_factors import calibration_factors
from mirical.tables.photometry import Observations, load_photometry
from samples import write_fits, write_mrt

UNITS = {
    "time": "d",
    "iflux": "DN/s",
    "ifluxunc": "DN/s",
    "pixrate": "DN/s",
    "inttime": "s",
    "ibkg": "DN/s/pix",
    "model_flux": "mJy",
    "model_flux_unc": "mJy",
}


def rows() -> Table:
    """Return five rows, one of them not measured; all numbers are exact in every unit below."""
    masked = [False, False, False, True, False]
    table = Table(
        {
            "name": ["16 Cyg B", "G 191-B2B", "G 191-B2B", "My star", "My star"],
            "PID": ["01538", "1537", "1537", "1537", "1537"],
            "srctype": ["SolarAnalogs", "HotStars", "HotStars", "ADwarfs", "ADwarfs"],
            "filter": ["F1130W", "F770W", "F1130W", "F770W", "F770W"],
            "subarray": ["SUB64", "FULL", "FULL", "BRIGHTSKY", "BRIGHTSKY"],
            "time": [59762.5, 59830.375, 59830.4375, 59900.25, 59901.75],
            "iflux": MaskedColumn([879000.5, 4300.25, 472.125, 0.0, 5000.0], mask=masked),
            "ifluxunc": MaskedColumn([1070.5, 6.5, 2.125, 0.0, 7.25], mask=masked),
            "pixrate": [9000.5, 500.25, 60.0, 700.5, 700.0],
            "inttime": [2.5, 27.75, 27.75, 55.5, 55.5],
            "ibkg": [18.5, 18.25, 30.0, 18.0, 18.125],
            "model_flux": [414.0, 0.5, 0.25, 0.625, 0.625],
            "model_flux_unc": [4.0, 0.0078125, 0.00390625, 0.015625, 0.015625],
        }
    )
    return with_units(table)


def with_units(table: Table, **changed: str | None) -> Table:
    for name, unit in (UNITS | changed).items():
        if name in table.colnames:
            table[name].unit = unit
    return table


def bits(value: Any) -> Any:
    """Return all that a design holds, arrays by their bytes."""
    if is_dataclass(value):
        return {one.name: bits(getattr(value, one.name)) for one in fields(value)}
    if hasattr(value, "dtype"):
        array = np.asarray(value)
        return array.dtype.str, array.shape, array.tobytes()
    return value


def inputs(observations: Observations) -> tuple[Any, dict[str, list[float | None]]]:
    """Return what a posterior is made of, to the bit, and the numbers that only checks use."""
    factors = calibration_factors(observations, {}, published_apertures(MIRI))
    table = observations.table
    numbers = {name: table[name].value.tolist() for name in UNITS}
    numbers = {name: [None if np.isnan(n) else n for n in each] for name, each in numbers.items()}
    return bits(make_design(factors)), numbers


@cache
def expected() -> tuple[Any, dict[str, list[float | None]]]:
    return inputs(load_photometry(rows(), MIRI, "test"))  # type: ignore[arg-type]


def changed(change: Callable[[Table], object]) -> Table:
    table = rows()
    change(table)
    return table


def text(
    table: Table,
    delimiter: str = ",",
    head: Callable[[str], str] = str,
    units: bool = False,
    blank: str = "",
) -> str:
    """Return a table as delimited text, with a head of each column and perhaps a row of units."""
    lines = [delimiter.join(head(name) for name in table.colnames)]
    if units:
        lines.append(delimiter.join(str(table[name].unit or "") for name in table.colnames))
    lines += [
        delimiter.join(blank if np.ma.is_masked(entry) else str(entry) for entry in row)
        for row in table.iterrows()
    ]
    return "\n".join(lines) + "\n"


def bracketed(name: str) -> str:
    return f"{name} [{UNITS[name]}]" if name in UNITS else name


def spelling(unit: str, other: str) -> Callable[[str], str]:
    return lambda name: bracketed(name).replace(unit, other)


def parenthesised(name: str) -> str:
    return f"{name} ({UNITS[name]})" if name in UNITS else name


def bare() -> Table:
    return with_units(rows(), **dict.fromkeys(UNITS))


def frame() -> pd.DataFrame:
    return bare().to_pandas()


def excel() -> str:
    """Return what Excel writes where numbers have a decimal comma."""
    lines = text(rows(), ";", bracketed).splitlines()
    return "\r\n".join([lines[0], *(line.replace(".", ",") for line in lines[1:]), ";" * 12, ""])


def written(table: Table, name: str, **options: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of units that the format does not have
            table.write(folder / name, **options)
        return folder / name

    return write


def content(name: str, what: str | bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        data = what.encode() if isinstance(what, str) else what
        (folder / name).write_bytes(data)
        return folder / name

    return write


def in_parts(folder: Path) -> Path:
    """Write a FITS file of two photometry tables, and one of something else."""
    parts = [fits.PrimaryHDU()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for part in (rows()[:2], Table({"ra": [1.0]}), rows()[2:]):
            parts.append(fits.table_to_hdu(part))
    fits.HDUList(parts).writeto(folder / "stars.fits")
    return folder / "stars.fits"


def named_part(folder: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hdus = [fits.table_to_hdu(rows()[:2], name="OLD"), fits.table_to_hdu(rows(), name="PHOT")]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(folder / "two.fits")
    return folder / "two.fits[phot]"


def swapped() -> Table:
    """Return the rows with numbers in big-endian order, as FITS keeps them."""
    table = rows()
    for name in UNITS:
        masked, unit = np.ma.asarray(table[name]), table[name].unit
        table[name] = MaskedColumn(masked.data.astype(">f8"), mask=masked.mask, unit=unit)
    return table


def unmasked() -> Table:
    """Return the rows with NaN for what is missing."""
    table = rows()
    for name in ("iflux", "ifluxunc"):
        table[name] = table[name].filled(np.nan)
    return table


def set_unit(**units: str | None) -> Table:
    return with_units(rows(), **units)


def times(entries: Any) -> Table:
    return changed(lambda table: table.replace_column("time", entries))


MJD = Time(np.array(rows()["time"]), format="mjd")


def shouting(column: str) -> Table:
    return changed(
        lambda table: table.replace_column(column, [f"{one.lower()}  " for one in table[column]])
    )


def renamed(**names: str) -> Table:
    return changed(lambda table: table.rename_columns([*names], [*names.values()]))


def scaled(unit: str, factor: float, *columns: str) -> Table:
    """Return the rows with columns in another unit, the numbers times a power of two or ten."""

    def change(table: Table) -> None:
        for name in columns:
            table[name] = table[name] * factor
            table[name].unit = unit

    return changed(change)


COUNTS = ("iflux", "ifluxunc", "pixrate")
FLUXES = ("model_flux", "model_flux_unc")


def pandas_with_units() -> pd.DataFrame:
    made = frame()
    made.attrs["units"] = UNITS
    return made


VARIANTS: dict[str, Any] = {
    # formats
    "ECSV": written(rows(), "rows.ecsv", format="ascii.ecsv"),
    "ECSV, comma": written(rows(), "rows.ecsv", format="ascii.ecsv", delimiter=","),
    "ECSV, gzip": lambda folder: _packed(
        written(rows(), "rows.ecsv", format="ascii.ecsv")(folder)
    ),
    "ECSV, no ending": written(rows(), "rows", format="ascii.ecsv"),
    "CSV of astropy": written(rows(), "rows.csv", format="ascii.csv"),
    "CSV, units in brackets": content("rows.csv", text(rows(), head=bracketed)),
    "CSV, units in parentheses": content("rows.csv", text(rows(), head=parenthesised)),
    "CSV, a row of units": content("rows.csv", text(rows(), units=True)),
    "CSV, quoted, CRLF": content(
        "rows.csv", "\r\n".join(f'"{line}"' for line in text(rows(), '","', bracketed).splitlines())
    ),
    "CSV with BOM": content("rows.csv", b"\xef\xbb\xbf" + text(rows()).encode()),
    "CSV in UTF-16": content("rows.csv", text(rows(), "\t").encode("utf-16")),
    "CSV, comments": content("rows.csv", f"# of 2026\n# by: me\n{text(rows())}"),
    "CSV, head as a comment": content("rows.csv", f"# {text(rows())}"),
    "CSV of pandas": lambda folder: _of_pandas(frame(), folder),
    "TSV": content("rows.tsv", text(rows(), "\t", units=True)),
    "pipes": content("rows.txt", text(rows(), " | ", bracketed)),
    "Excel, semicolon and decimal comma": content("rows.csv", b"\xef\xbb\xbf" + excel().encode()),
    "Excel, sep=": content("rows.csv", f"sep=;\r\n{excel()}"),
    "Excel, cp1252": content("rows.csv", f"{excel()}".encode("cp1252")),
    "FITS of Table.write": written(rows(), "rows.fits"),
    "FITS, units stated": lambda folder: write_fits(rows(), folder / "rows.fits"),
    "FITS, a table a star": in_parts,
    "FITS, the one named": named_part,
    "FITS of a QTable": written(QTable(unmasked()), "rows.fits"),
    "VOTable": written(rows(), "rows.vot", format="votable"),
    "VOTable, binary": written(
        rows(), "rows.xml", format="votable", tabledata_format="binary2"
    ),
    "Parquet of astropy": written(rows(), "rows.parquet", format="parquet"),
    "Parquet of pandas": lambda folder: _parquet(frame(), folder),
    "MRT": lambda folder: write_mrt(rows(), folder / "rows.txt"),
    "astropy": rows(),
    "astropy, without units": bare(),
    "QTable": QTable(unmasked()),
    "QTable, masked": QTable(rows()),
    "pandas": frame(),
    "pandas, units in attrs": pandas_with_units(),
    "pandas, units in names": frame().rename(columns=bracketed),
    "pandas, an index with a name": frame().set_index(["name", "filter"]),
    "a mapping": dict(unmasked().items()),
    # units
    "adu": set_unit(**dict.fromkeys(COUNTS, "adu/s"), ibkg="adu/s/pix"),
    "counts": content("rows.csv", text(rows(), head=spelling("DN", "counts"))),
    "ADU in capitals": content("rows.csv", text(rows(), head=spelling("DN/s", "ADU/S"))),
    "ct": set_unit(**dict.fromkeys(COUNTS, "ct/s"), ibkg="ct/s/pix"),
    "DN s-1": set_unit(**dict.fromkeys(COUNTS, "DN s-1"), ibkg="DN s-1 pix-1"),
    "background without /pix": set_unit(ibkg="DN/s"),
    "central pixel with /pix": set_unit(pixrate="DN/s/pix"),
    "ms": scaled("ms", 1000, "inttime"),
    "uJy": scaled("uJy", 1000, *FLUXES),
    "kDN": scaled("1024 DN/s", 1 / 1024, *COUNTS),
    # times
    "JD": times(np.array(rows()["time"]) + 2400000.5),
    "ISO": times(MJD.isot),
    "ISO in CSV": content("rows.csv", text(times(MJD.iso))),
    "ISO with Z": times([f"{one}Z" for one in MJD.isot]),
    "Time": times(MJD),
    "Time, JD": times(Time(MJD.jd, format="jd")),
    "Time in ECSV": written(times(MJD), "rows.ecsv", format="ascii.ecsv"),
    "Time in FITS": written(times(MJD), "rows.fits"),
    "Time in Parquet": written(times(MJD), "rows.parquet", format="parquet"),
    "datetime64": frame().assign(time=pd.to_datetime(MJD.isot)),
    "with a time zone": frame().assign(
        time=pd.to_datetime(MJD.isot).tz_localize("UTC").tz_convert("Europe/Berlin")
    ),
    # what is missing, and names
    "NaN": unmasked(),
    "N/A": content("rows.csv", text(rows(), blank="N/A")),
    "dashes": content("rows.csv", text(rows(), blank=" -- ")),
    "null": content("rows.csv", text(rows(), blank="null")),
    "big-endian": swapped(),
    "bands in small letters": shouting("filter"),
    "subarrays in small letters": shouting("subarray"),
    "types in small letters": shouting("srctype"),
    "columns in capitals": renamed(**{n: n.upper() for n in rows().colnames}),
    "columns with blanks": renamed(**{n: f" {n} " for n in rows().colnames}),
    "other names": renamed(name="Star", filter="band", ifluxunc="e_iflux", time="MJD"),
}  # fmt: skip


def _packed(path: Path) -> Path:
    path.write_bytes(gzip.compress(path.read_bytes()))
    return path


def _of_pandas(made: pd.DataFrame, folder: Path) -> Path:
    made.to_csv(folder / "rows.csv")
    return folder / "rows.csv"


def _parquet(made: pd.DataFrame, folder: Path) -> Path:
    made.to_parquet(folder / "rows.parquet")
    return folder / "rows.parquet"


@pytest.mark.parametrize("case", VARIANTS)
def test_every_variant_gives_the_same_posterior_to_the_bit(case: str, tmp_path: Path):
    given = VARIANTS[case]
    given = str(given(tmp_path)) if callable(given) else given
    design, numbers = inputs(load_photometry(given, MIRI, "test"))
    assert numbers == expected()[1]
    assert design == expected()[0]


def test_what_was_assumed_is_said(tmp_path: Path):
    def notes(given: Any) -> tuple[str, ...]:
        given = str(given(tmp_path)) if callable(given) else given
        return load_photometry(given, MIRI, "test").notes

    assert notes(VARIANTS["Excel, cp1252"])[:2] == (
        "rows.csv: numbers are read with a decimal comma.",
        "rows.csv: does not say which apertures it was measured in, and those it is calibrated "
        "with are taken for it; ECSV alone keeps apertures_pix in its header, and every format "
        "keeps columns r_a, r_b1, r_b2.",
    )
    assert notes(frame())[0] == (
        "table: columns without a unit are taken to be in: pixrate [DN / s], inttime [s], iflux "
        "[DN / s], ifluxunc [DN / s], ibkg [DN / (pix s)], model_flux [mJy], model_flux_unc [mJy]."
    )
    assert notes(set_unit(iflux="ct/s", ibkg="DN/s", pixrate="adu/s/pix")) == (
        "table: units are read so: pixrate [adu / (pix s)] as [DN / s], iflux [ct / s] as [DN / "
        "s], ibkg [DN / s] as [DN / (pix s)].",
    )
    accented = text(rows(), ";").replace("My star", "Mÿ star").encode("cp1252")
    assert notes(content("old.csv", accented))[0] == (
        "old.csv: is not UTF-8; its letters are read as Windows-1252 (Excel)."
    )
    assert notes(times([one[:10] for one in MJD.iso]))[0] == (
        "table: column 'time' has dates without a time of day; 0 h UTC is taken."
    )
    assert notes(VARIANTS["FITS, the one named"]) and notes(rows()) == ()


def dated(entry: str) -> Table:
    return times([entry] * 5)


REFUSED: dict[str, tuple[Any, str]] = {
    "electrons": (
        set_unit(iflux="electron/s"),
        "table: column 'iflux' is in electron / s; expected DN / s or a unit that converts to it; "
        "electrons and DN differ by the gain.",
    ),
    "a surface brightness": (
        set_unit(iflux="DN/s/pix"),
        "table: column 'iflux' is in DN / (pix s); expected DN / s or a unit that converts to it.",
    ),
    "magnitudes without zero point": (
        set_unit(model_flux="mag"),
        "table: column 'model_flux' is in mag; expected mJy or a unit that converts to it, such as "
        "magnitudes with their zero point, mag(AB).",
    ),
    "two units but for capitals": (
        content("rows.csv", text(rows(), head=spelling("mJy", "mjy"))),
        "rows.csv: column 'model_flux' is in mjy; expected mJy or a unit that converts to it.",
    ),
    "a comma that may part thousands": (
        content("rows.tsv", text(rows(), "\t").replace("879000.5", "879,000")),
        "rows.tsv: column 'iflux' is not numeric; expected numbers in DN / s, with a decimal point "
        "and nothing between thousands.",
    ),
    "names alone": (
        content("rows.csv", text(rows()[:0])),
        "rows.csv: the table has no rows.",
    ),
    "a row cut short": (
        content("rows.csv", text(rows())[:-40]),
        "rows.csv row 5: has 7 entries, and the line of names 13; a blank one needs its delimiter "
        "(',') too.",
    ),
    "two columns of one name": (
        content("rows.csv", text(rows()).replace("ifluxunc", "iflux", 1)),
        "rows.csv: two columns are called 'iflux'; rename or drop one.",
    ),
    "columns parted by blanks": (
        content("rows.txt", text(rows(), " ")),
        "rows.txt: not a table that is known; expected ECSV, CSV or TSV with the names of its "
        "columns in the first line, FITS, VOTable, Parquet, or the journal's machine-readable "
        "format.",
    ),
    "a day first": (
        dated("02.07.2022"),
        "table: column 'time' is not numeric; expected numbers in d.",
    ),
    "a time zone": (
        dated("2022-07-02T12:00+02:00"),
        "table row 1: column 'time' is '2022-07-02T12:00+02:00'; expected MJD in days, or UTC date "
        "and time such as 2022-07-02T12:00:00.",
    ),
    "a part of a file of one table": (
        lambda folder: written(rows(), "rows.csv", format="ascii.csv")(folder).with_name(
            "rows.csv[2]"
        ),
        "rows.csv[2]: is CSV, a file of one table; leave out [2].",
    ),
    "a part that is not there": (
        lambda folder: named_part(folder).with_name("two.fits[SCI]"),
        "two.fits[SCI]: no table of that name; the file has [1] OLD, [2] PHOT.",
    ),
    "damaged Parquet": (
        content("rows.parquet", b"PAR1 and nothing else"),
        "rows.parquet: cannot be read as Parquet (Parquet magic bytes not found in footer. Either "
        "the file is corrupted or this is not a parquet file).",
    ),
    "no table": (
        {"name": ["a", "b"], "iflux": [1.0]},
        "table: cannot be read as a table (Inconsistent data column lengths: {1, 2}); give columns "
        "of one length by name.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_right_is_one_sentence(case: str, tmp_path: Path):
    given, sentence = REFUSED[case]
    given = str(given(tmp_path)) if callable(given) else given
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        load_photometry(given, MIRI, "test")


def test_magnitudes_with_their_zero_point_are_fluxes():
    table = rows()
    flux = (table["model_flux"].data * u.mJy).to(u.ABmag)
    table["model_flux"] = MaskedColumn(flux.value, unit="mag(AB)")
    for unit in ("AB mag", "ABmag", "mag(AB)"):
        given = table.to_pandas()
        given.attrs["units"] = UNITS | {"model_flux": unit}
        read = load_photometry(given, MIRI, "test").table["model_flux"].to_value("mJy")
        np.testing.assert_allclose(read, rows()["model_flux"], rtol=1e-14)


def test_columns_may_be_named():
    table = renamed(iflux="FLUX_APER", filter="BP")
    table["iflux"] = np.arange(5.0)  # another flux, which is not meant
    read = load_photometry(table, MIRI, "test", named={"iflux": "flux_aper", "filter": "BP"})
    assert inputs(read) == expected()
    table.remove_column("BP")
    with pytest.raises(
        InputError, match=r"^table: has no column 'BP', which \[columns\] of the job"
    ):
        load_photometry(table, MIRI, "test", named={"iflux": "FLUX_APER", "filter": "BP"})


def test_columns_that_changed_their_names_are_told_apart():
    table = renamed(iflux="x", pixrate="iflux")
    table.rename_column("x", "pixrate")
    read = load_photometry(table, MIRI, "test", named={"iflux": "pixrate", "pixrate": "iflux"})
    assert inputs(read) == expected()


def test_parquet_without_its_library_is_one_sentence(monkeypatch, tmp_path: Path):
    path = VARIANTS["Parquet of pandas"](tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    sentence = (
        r"^rows\.parquet: is Parquet, .*: pip install 'mirical\[parquet\]', or save the table as"
    )
    with pytest.raises(InputError, match=sentence):
        load_photometry(str(path), MIRI, "test")


def test_a_table_in_memory_is_left_as_it_was():
    given = rows()
    load_photometry(given, MIRI, "test")
    assert given.colnames == rows().colnames and given["iflux"].unit == rows()["iflux"].unit
    made = frame()
    load_photometry(made, MIRI, "test")
    pd.testing.assert_frame_equal(made, frame())
