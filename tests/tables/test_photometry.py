"""Photometry tables: three formats in, one checked table out, every refusal by its sentence."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from astropy.time import Time

from miri_facts import MIRI
from mirical.errors import InputError
from mirical.tables.photometry import load_photometry
from samples import (
    blanking,
    load,
    photometry,
    repeated,
    setting,
    shipped_table,
    unit,
    with_units,
    write_ecsv,
)

Change = Callable[[Table], None]


def exactly(sentence: str) -> str:
    return f"^{re.escape(sentence)}$"


def renaming(old: str, new: str) -> Change:
    return lambda table: table.rename_column(old, new)


def removing(column: str) -> Change:
    return lambda table: table.remove_column(column)


def replacing(column: str, entries: object) -> Change:
    return lambda table: with_units(table.__setitem__(column, entries) or table)


OWN_NAMES = "If yours has another name, rename it, or state it under [columns] of a job."
EXPECTED = (
    f"expected the columns name, srctype, filter, subarray, time, iflux, ifluxunc. {OWN_NAMES}"
)
CORRECT = "Correct the entry, or blank it to have the row flagged."

REFUSED: dict[str, tuple[Change, str]] = {
    "unknown band": (
        setting("filter", 2, "F700W"),
        "rows.ecsv row 2: band 'F700W' is not a MIRI band; did you mean 'F770W'?",
    ),
    "unknown subarray": (
        setting("subarray", 3, "SUB46"),
        "rows.ecsv row 3: subarray 'SUB46' is unknown; did you mean 'SUB64'?",
    ),
    "unknown star type": (
        setting("srctype", 1, "SolarAnalogues"),
        "rows.ecsv row 1: star type 'SolarAnalogues' is unknown; did you mean 'SolarAnalogs'? "
        "(MIRI has HotStars, ADwarfs, SolarAnalogs)",
    ),
    "two types for a star": (
        setting("srctype", 3, "ADwarfs"),
        "rows.ecsv row 3: star 'G 191-B2B' is a ADwarfs here and a HotStars above; "
        "give one srctype per star.",
    ),
    "two types under two names": (
        lambda table: (
            setting("name", 3, "G191B2B")(table),
            setting("srctype", 3, "ADwarfs")(table),
        )[0],
        "rows.ecsv row 3: star 'G 191-B2B' is a ADwarfs here and a HotStars above; "
        "give one srctype per star.",
    ),
    "blank star": (
        blanking("name", 2),
        "rows.ecsv row 2: column 'name' is blank; every row needs it.",
    ),
    "empty subarray": (
        setting("subarray", 1, ""),
        "rows.ecsv row 1: column 'subarray' is blank; every row needs it.",
    ),
    "missing text column": (
        removing("subarray"),
        f"rows.ecsv: column 'subarray' is missing; {EXPECTED}",
    ),
    "misspelt column": (
        renaming("filter", "fliter"),
        f"rows.ecsv: column 'filter' is missing; {EXPECTED}",
    ),
    "missing number": (
        removing("ifluxunc"),
        f"rows.ecsv: column 'ifluxunc' is missing; expected it in DN / s. {OWN_NAMES}",
    ),
    "two columns of one meaning": (
        lambda table: table.add_column(table["iflux"], name="IFlux"),
        "rows.ecsv: columns 'IFlux' and 'iflux' mean the same thing.",
    ),
    "missing unit": (
        unit("iflux", None),
        "rows.ecsv: column 'iflux' has no unit; expected DN / s.",
    ),
    "wrong unit": (
        unit("iflux", "electron/s"),
        "rows.ecsv: column 'iflux' is in electron / s; expected DN / s or a unit that converts to "
        "it; electrons and DN differ by the gain.",
    ),
    "wrong unit of an optional column": (
        unit("flux", "DN/s"),
        "rows.ecsv: column 'flux' is in DN / s; expected mJy or a unit that converts to it.",
    ),
    "not numeric": (
        replacing("iflux", ["bright", "faint", "faint"]),
        "rows.ecsv: column 'iflux' is not numeric; expected numbers in DN / s.",
    ),
    "a date that is cut short": (
        replacing("time", ["2022-07-02T12:00:00", "2022-07-02T1", ""]),
        "rows.ecsv row 2: column 'time' is '2022-07-02T1'; expected MJD in days, or UTC date and "
        "time such as 2022-07-02T12:00:00.",
    ),
    "words for times": (
        replacing("time", ["noon", "noon", "night"]),
        "rows.ecsv: column 'time' is not numeric; expected numbers in d.",
    ),
    "time without a scale that converts": (
        lambda table: table.replace_column(
            "time", Time(table["time"].data, scale="ut1", format="mjd")
        ),
        "rows.ecsv: column 'time' holds times in the scale 'ut1', which this program does not "
        "convert; expected MJD in days, or UTC date and time such as 2022-07-02T12:00:00.",
    ),
    "error of a value that is blank, in magnitudes": (
        lambda table: (
            replacing("model_flux", [1.0, np.nan, 1.0])(table),
            replacing("model_flux_unc", [0.01, 0.01, 0.01])(table),
            unit("model_flux_unc", "mag(AB)")(table),
        )[0],
        "rows.ecsv row 2: column 'model_flux_unc' is in mag(AB), a ratio to a value that is "
        "blank; give the value, or blank its error.",
    ),
    "error in magnitudes without values": (
        lambda table: (
            replacing("model_flux_unc", [0.01, 0.01, 0.01])(table),
            unit("model_flux_unc", "mag")(table),
        )[0],
        "rows.ecsv: column 'model_flux_unc' is in mag, a ratio to values that the table does not "
        "give; give the values, or the errors in mJy.",
    ),
    "surface brightness for count rates": (
        unit("iflux", "MJy/sr"),
        "rows.ecsv: column 'iflux' is in MJy / sr; expected DN / s or a unit that converts to it.",
    ),
    "surface brightness for a flux": (
        unit("flux", "MJy/sr"),
        "rows.ecsv: column 'flux' is in MJy / sr; expected mJy or a unit that converts to it.",
    ),
    "arrays for numbers": (
        replacing("iflux", np.ones((3, 2))),
        "rows.ecsv: column 'iflux' holds arrays; expected one number a row.",
    ),
    "negative count rate": (
        setting("iflux", 3, -472.0),
        "rows.ecsv row 3: column 'iflux' is -472 DN / s; expected a positive number. " + CORRECT,
    ),
    "no error": (
        setting("ifluxunc", 1, 0.0),
        "rows.ecsv row 1: column 'ifluxunc' is 0 DN / s; expected a positive number. " + CORRECT,
    ),
    "count rate nobody measures": (
        setting("iflux", 3, 1e-300),
        "rows.ecsv row 3: column 'iflux' is 1e-300 DN / s; expected a number from 1e-20 to 1e+20. "
        + CORRECT,
    ),
    "negative model flux": (
        replacing("model_flux", [1.0, -1.0, 1.0]),
        "rows.ecsv row 2: column 'model_flux' is -1 mJy; expected a positive number. " + CORRECT,
    ),
    "negative error of the model flux": (
        replacing("model_flux_unc", [0.0, 1.0, -1.0]),
        "rows.ecsv row 3: column 'model_flux_unc' is -1 mJy; expected zero or a positive number. "
        + CORRECT,
    ),
    "JD instead of MJD": (
        setting("time", 1, 2459763.25),
        "rows.ecsv row 1: column 'time' is 2459763.25 d; "
        "expected an MJD between 59573 (launch) and 70000. " + CORRECT,
    ),
    "empty table": (
        lambda table: table.remove_rows([0, 1, 2]),
        "rows.ecsv: the table has no rows.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_table_that_cannot_be_used_is_refused_with_one_sentence(case: str, tmp_path: Path):
    change, sentence = REFUSED[case]
    table = photometry()
    change(table)
    with pytest.raises(InputError, match=exactly(sentence)):
        load(table, tmp_path)


def test_the_table_all_refusals_start_from_is_sound(tmp_path: Path):
    assert set(load(photometry(), tmp_path).table["flag"]) == {""}


NO_TABLE = (
    "rows.txt: not a table that is known; expected ECSV, CSV or TSV with the names of its columns "
    "in the first line, FITS, VOTable, Parquet, or the journal's machine-readable format."
)


@pytest.mark.parametrize(
    ("content", "sentence"),
    {
        b"name iflux\na 1\n": NO_TABLE,
        b"": NO_TABLE,
        b"# %ECSV 1.0\nhello\n": "rows.txt: cannot be read as ECSV "
        "(unable to parse yaml in meta header).",
        b"SIMPLE  =                    T": "rows.txt: cannot be read as FITS "
        "(Empty or corrupt FITS file).",
        b"Byte-by-byte Description of file: a": "rows.txt: cannot be read as MRT "
        "(No MRT section delimiter found).",
    }.items(),
)
def test_a_file_that_is_no_table_is_refused(content: bytes, sentence: str, tmp_path: Path):
    path = tmp_path / "rows.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=exactly(sentence)):
        load_photometry(str(path), MIRI, "test")


def test_a_missing_file_is_refused_by_whoever_asks():
    sentence = (
        "job x: photometry file 'nothing.ecsv' does not exist; "
        "give a path to a table, or 'table5' for the embedded rows."
    )
    with pytest.raises(InputError, match=exactly(sentence)):
        load_photometry("nothing.ecsv", MIRI, "job x")


# Canonical spellings, visits and flags.


def test_aliases_and_printed_misspellings_become_the_names_of_the_program(tmp_path: Path):
    table = photometry()
    setting("name", 1, "HD 186427")(table)
    setting("name", 2, "g191b2b")(table)
    setting("srctype", 2, "HoStars")(table)
    read = load(table, tmp_path).table
    assert list(read["name"]) == ["16 Cyg B", "G 191-B2B", "G 191-B2B"]
    assert list(read["srctype"]) == ["SolarAnalogs", "HotStars", "HotStars"]


def test_rows_of_one_star_within_a_day_share_a_visit(tmp_path: Path):
    # Unordered on purpose; 59701.2 is within a day of 59700.9 but not of the visit's first row.
    times = [59701.2, 59700.0, 59700.9, 59701.0, 59700.0]
    table = repeated(5, time=times, filter=["F560W", "F770W", "F1000W", "F1130W", "F1280W"])
    setting("name", 5, "GD 71")(table)
    assert list(load(table, tmp_path).table["visit"]) == [
        "G 191-B2B 59701.2",
        "G 191-B2B 59700.0",
        "G 191-B2B 59700.0",
        "G 191-B2B 59700.0",
        "GD 71 59700.0",
    ]


def test_a_table_may_name_its_visits_and_leave_some_blank(tmp_path: Path):
    table = photometry()
    table["visit"] = ["obs 1", "obs 1", "obs 2"]
    blanking("visit", 3)(table)
    read = load(table, tmp_path).table
    assert list(read["visit"]) == ["16 Cyg B obs 1", "G 191-B2B obs 1", "G 191-B2B 59830.4"]


@pytest.mark.parametrize("column", ["time", "iflux", "ifluxunc"])
def test_a_blank_measurement_is_flagged_and_kept(column: str, tmp_path: Path):
    table = photometry()
    blanking(column, 2)(table)
    read = load(table, tmp_path).table
    assert list(read["flag"]) == ["", "not_measured", ""]
    assert np.isnan(read[column][1])


@pytest.mark.parametrize(
    ("factor", "flag"),
    [(1.34, ""), (1.36, "inconsistent"), (1 / 1.34, ""), (1 / 1.36, "inconsistent")],
)
def test_a_row_contradicts_itself_beyond_a_factor_exp_of_0_3(
    factor: float, flag: str, tmp_path: Path
):
    # exp(0.30) = 1.3499: the ratio flux/iflux against the median of the band's rows.
    fluxes, flags = [0.458 * factor, 0.458, 0.458, 0.458], [flag, "", "", ""]
    assert list(load(repeated(4, flux=fluxes), tmp_path).table["flag"]) == flags
    assert list(load(repeated(4, flux=fluxes[::-1]), tmp_path).table["flag"]) == flags[::-1]


def test_response_loss_and_subarray_together_are_no_contradiction(tmp_path: Path):
    coefficients, throughput = shipped_table("table8"), shipped_table("table7")["d_sa"]
    loss = np.max(-np.log1p(coefficients["B"] / coefficients["A"]))
    subarray = np.log(max(throughput) / min(throughput))
    assert 0.25 < loss < 0.26  # 22.2 % at F2550W
    early, late = 1.0, float(np.exp(loss + subarray))
    table = repeated(3, flux=[0.458 * early, 0.458 * early, 0.458 * late])
    assert set(load(table, tmp_path).table["flag"]) == {""}


def test_a_band_with_one_row_cannot_contradict_itself(tmp_path: Path):
    table = photometry()
    setting("flux", 2, 45.8)(table)
    assert list(load(table, tmp_path).table["flag"]) == ["", "", ""]


def test_a_flux_that_is_not_positive_contradicts_a_positive_count_rate(tmp_path: Path):
    table = photometry()
    setting("flux", 2, -0.458)(table)
    assert list(load(table, tmp_path).table["flag"]) == ["", "inconsistent", ""]


@pytest.mark.filterwarnings("error")
def test_a_flux_beyond_all_ratios_contradicts_its_count_rate(tmp_path: Path):
    table = photometry()
    setting("flux", 2, 1e300)(table)
    setting("iflux", 2, 1e-10)(table)
    assert list(load(table, tmp_path).table["flag"]) == ["", "inconsistent", ""]


def test_nothing_measured_outranks_the_other_flags(tmp_path: Path):
    table = repeated(2, time=[59800.0] * 2, flux=[-1.0, -1.0])
    blanking("ifluxunc", 2)(table)
    assert list(load(table, tmp_path).table["flag"]) == ["inconsistent", "not_measured"]


# Where a table comes from.


def test_a_path_is_tried_beside_the_file_that_names_it_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    beside = tmp_path / "beside"
    beside.mkdir()
    write_ecsv(photometry()[:1], tmp_path / "rows.ecsv")
    monkeypatch.chdir(tmp_path)
    assert len(load_photometry("rows.ecsv", MIRI, "test", beside).table) == 1
    write_ecsv(photometry(), beside / "rows.ecsv")
    assert len(load_photometry("rows.ecsv", MIRI, "test", beside).table) == 3


def test_the_record_says_which_bytes_were_read_and_whether_they_are_simulated(tmp_path: Path):
    table = photometry()
    real = load(table, tmp_path)
    assert real.source == "rows.ecsv"
    assert real.data_hash == hashlib.sha256((tmp_path / "rows.ecsv").read_bytes()).hexdigest()
    assert real.simulated is False
    table.meta["simulated"] = True
    assert load(table, tmp_path).simulated is True


def test_the_program_number_is_optional(tmp_path: Path):
    table = photometry()
    table.remove_column("PID")
    assert list(load(table, tmp_path).table["PID"]) == ["", "", ""]


def flagged(*flags: str, **columns: object) -> Table:
    """Return the three rows with a flag each, and `columns` in place."""
    table = photometry()
    table["flag"] = flags
    for name, entries in columns.items():
        table[name] = entries
    return with_units(table)


def test_a_row_the_table_flags_stays_unfitted_and_may_lack_anything(tmp_path: Path):
    table = flagged(
        *("", "unmeasured", "saturated"),
        name=["16 Cyg B", "", "G 191-B2B"],
        filter=["F1130W", "", "F1130W"],
        subarray=["SUB64", "", "FULL"],
        srctype=["SolarAnalogs", "", "HotStars"],
        iflux=[879000.0, np.nan, -472.0],
        reason=["", "has no valid pixel", "3 pixels of the aperture are saturated"],
        file=["a.fits", "b.fits", "c.fits"],
    )
    found = load(table, tmp_path).table
    assert list(found["flag"]) == ["", "unmeasured", "saturated"]
    assert list(found["reason"]) == [
        "",
        "b.fits: has no valid pixel",
        "c.fits: 3 pixels of the aperture are saturated",
    ]


def test_a_row_without_flag_must_still_be_whole(tmp_path: Path):
    table = flagged("", "unmeasured", "", filter=["F1130W", "", ""])
    with pytest.raises(
        InputError, match=exactly("rows.ecsv row 3: column 'filter' is blank; every row needs it.")
    ):
        load(table, tmp_path)


def test_a_flag_nobody_knows_is_refused(tmp_path: Path):
    sentence = "rows.ecsv row 2: flag 'satuated' is unknown; did you mean 'saturated'? Leave it bl"
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}"):
        load(flagged("", "satuated", ""), tmp_path)


def test_a_band_in_a_subarray_that_it_is_not_observed_in_is_refused(tmp_path: Path):
    table = photometry()
    table["subarray"] = ["FULL", "MASK1065", "FULL"]
    sentence = "rows.ecsv row 2: band 'F770W' is not observed in 'MASK1065'; expected FULL, BRIGHT"
    with pytest.raises(InputError, match=sentence):
        load(table, tmp_path)


def test_names_and_readouts_worth_a_look_are_noted(tmp_path: Path):
    table = photometry()
    table["name"] = ["HD 163467", "$x^{$\tstar\x1b[31m", "HD\u00a02811"]
    table["srctype"], table["subarray"] = ["ADwarfs"] * 3, ["SUB64_IP"] * 3
    read = load_photometry(str(write_ecsv(table, tmp_path / "rows.ecsv")), MIRI, "test")
    assert list(read.table["name"]) == ["HD 163467", "$x^{$ star", "HD 2811"]
    assert read.notes == (
        "rows.ecsv: star 'HD 163467' is taken for one of your own; did you mean 'HD 163466'?",
        "SUB64_IP: no standard star was observed in it; D of SUB64 is assumed.",
    )


@pytest.mark.parametrize("column", ["cal_ver", "CRDS_CTX"])
def test_versions_that_differ_and_are_no_reduction_are_a_caution(column: str, tmp_path: Path):
    rows = photometry()
    rows[column] = ["1.13.4", *["1.14.0"] * (len(rows) - 1)]
    (said,) = load(rows, tmp_path).notes
    assert f"rows of 2 reductions ({column} is 1.13.4, 1.14.0) and no column reduction" in said
    assert "Name the column of versions reduction" in said
    rows["reduction"] = rows[column]
    assert load(rows, tmp_path).notes == ()
    rows.remove_column("reduction")
    rows[column] = "1.14.0"
    assert load(rows, tmp_path).notes == ()
