"""What a photometry table says is what comes back, from every format and in every unit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from miri_facts import BANDS, MIRI
from mirical.errors import InputError
from mirical.stars import STARS
from mirical.tables.flags import FLAGS
from mirical.tables.photometry import load_photometry
from samples import WRITERS, load, photometry, setting, with_units, write_mrt

_flux = st.floats(min_value=1e-3, max_value=1e7)
_row = st.fixed_dictionaries(
    {
        "star": st.sampled_from([*STARS.values()]),
        "place": st.sampled_from(
            [(band, place) for band in BANDS for place in MIRI.readouts(band)]
        ),
        "time": st.floats(min_value=59600, max_value=61000),
        "iflux": _flux,
        "ifluxunc": _flux,
        "flux": st.one_of(st.none(), _flux),
    }
)


def _as_table(rows: list[dict]) -> Table:
    table = Table(
        {
            "name": [row["star"].name for row in rows],
            **{c: [row["place"][i] for row in rows] for i, c in enumerate(("filter", "subarray"))},
            "srctype": [row["star"].srctype for row in rows],
            **{c: [row[c] for row in rows] for c in ("time", "iflux")},
            "ifluxunc": [row["ifluxunc"] for row in rows],
            "flux": [np.nan if row["flux"] is None else row["flux"] for row in rows],
        }
    )
    return with_units(table)


@pytest.mark.parametrize("kind", WRITERS)
@given(rows=st.lists(_row, min_size=1, max_size=6))
def test_rows_come_back_from_every_format_in_order(rows: list[dict], kind: str, tmp_path: Path):
    written = _as_table(rows)
    read = load(written, tmp_path, kind).table
    assert list(read["row"]) == list(range(1, len(rows) + 1))
    for column in ("name", "srctype", "filter", "subarray"):
        assert list(read[column]) == list(written[column])
    for column in ("time", "iflux", "ifluxunc", "flux"):
        np.testing.assert_array_equal(read[column].value, written[column].data)
    assert set(read["flag"]) <= set(FLAGS)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_missing_entry_is_flagged_in_every_format(kind: str, tmp_path: Path):
    table = photometry()
    table["iflux"][1] = np.nan
    assert list(load(table, tmp_path, kind).table["flag"]) == ["", "not_measured", ""]


@pytest.mark.parametrize("dn_per_s", ["DN/s", "DN.s-1"])
def test_the_journal_may_write_dn_though_its_standard_does_not_list_it(
    dn_per_s: str, tmp_path: Path
):
    path = write_mrt(photometry(), tmp_path / "rows.mrt")
    path.write_text(path.read_text().replace("DN/s    ", dn_per_s.ljust(8)))
    read = load_photometry(str(path), MIRI, "test").table
    assert list(read["iflux"].to_value("DN/s")) == [879000.0, 4300.0, 472.0]
    assert list(read["ifluxunc"].to_value("DN/s")) == [1070.0, 6.47, 2.12]


@pytest.mark.parametrize(
    ("column", "given_unit"),
    [
        ("iflux", "1000 DN/s"),
        ("iflux", "DN/min"),
        ("ifluxunc", "DN/h"),
        ("flux", "Jy"),
        ("flux", "uJy"),
        ("time", "h"),
        ("time", None),
    ],
)
@given(values=st.lists(st.floats(59600, 61000), min_size=3, max_size=3, unique=True))
def test_a_unit_that_converts_gives_the_same_numbers(
    column: str, given_unit: str | None, values: list[float], tmp_path: Path
):
    table = photometry()
    expected = values * u.Unit({"time": "d", "flux": "mJy"}.get(column, "DN/s"))
    table[column] = values if given_unit is None else expected.to(given_unit).value
    table[column].unit = given_unit
    read = load(table, tmp_path).table[column]
    assert read.unit == expected.unit
    np.testing.assert_allclose(read.value, values, rtol=4 * np.finfo(float).eps)


def test_the_integration_time_may_have_no_unit(tmp_path: Path):
    table = photometry()
    table["inttime"] = [0.85, 27.75, 66.6]
    assert list(load(table, tmp_path).table["inttime"].to_value("s")) == [0.85, 27.75, 66.6]


_letters = st.text("abcdefghijklmnopqrstuvwxyzFW01257_ ", min_size=1, max_size=10)


@given(column=st.sampled_from(photometry().colnames), spelling=_letters)
def test_a_misspelt_column_is_never_a_traceback(column: str, spelling: str, tmp_path: Path):
    table = photometry()
    if spelling not in table.colnames:
        table.rename_column(column, spelling)
    try:
        read = load(table, tmp_path)
    except InputError as error:
        assert str(error).startswith("rows.ecsv") and "\n" not in str(error)
    else:
        assert len(read.table) == 3


@pytest.mark.parametrize("column", ["filter", "subarray", "srctype"])
@given(spelling=st.text("abcdefghijkl0123", min_size=1, max_size=8))  # too few letters for a name
def test_a_misspelt_entry_is_named_with_its_row(column: str, spelling: str, tmp_path: Path):
    table = photometry()
    setting(column, 2, spelling)(table)
    with pytest.raises(InputError, match=r"^rows\.ecsv row 2: "):
        load(table, tmp_path)


@pytest.mark.parametrize("kind", WRITERS)
@given(place=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.booleans())
def test_a_broken_file_is_never_a_traceback(
    kind: str, place: int, byte: int, cut: bool, tmp_path: Path
):
    path = WRITERS[kind](photometry(), tmp_path / f"rows.{kind}")
    content = bytearray(path.read_bytes())
    place %= len(content)
    if cut:
        del content[place:]
    else:
        content[place] = byte
    path.write_bytes(bytes(content))
    try:
        read = load_photometry(str(path), MIRI, "test")
    except InputError as error:
        assert str(error).startswith("rows.")
    else:
        assert set(read.table["flag"]) <= set(FLAGS)
