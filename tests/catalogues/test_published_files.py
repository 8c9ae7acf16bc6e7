import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from mirical.cli import main
from mirical.tables.photometry import load_photometry
from samples import MIRI, shipped_table, write_fits, write_mrt
from vizier_server import VIZIER_NAMES, table5_answer, votable


def named_by_vizier() -> Table:
    table = shipped_table("table5")
    table.rename_columns(list(VIZIER_NAMES), list(VIZIER_NAMES.values()))
    return table


def _votable(path: Path) -> None:
    path.write_bytes(table5_answer())


def _csv(path: Path) -> None:
    named_by_vizier().write(path, format="ascii.csv")


def _mrt(path: Path) -> None:
    write_mrt(shipped_table("table5"), path)


def _fits(path: Path) -> None:
    write_fits(shipped_table("table5"), path)


def _packed(path: Path) -> None:
    path.write_bytes(gzip.compress(table5_answer()))


@pytest.mark.parametrize("write", [_votable, _csv, _mrt, _fits, _packed])
def test_a_downloaded_file_in_any_format_holds_the_same_rows(
    write: Callable[[Path], None], tmp_path: Path
):
    write(tmp_path / "downloaded")
    out = tmp_path / "table5-full.ecsv"
    assert main(["fetch", str(tmp_path / "downloaded"), "--out", str(out)]) == 0
    read, printed = (load_photometry(n, MIRI, "test").table for n in (str(out), "table5"))
    for name in printed.colnames:
        assert np.array_equal(read[name], printed[name]), name


def test_files_that_make_up_one_table_are_put_together_in_order(tmp_path: Path):
    table = named_by_vizier()
    table[:20].write(tmp_path / "a.csv", format="ascii.csv")
    table[20:].write(tmp_path / "b.csv", format="ascii.csv")
    out = tmp_path / "both.ecsv"
    assert main(["fetch", *(str(tmp_path / n) for n in ("a.csv", "b.csv")), "--out", str(out)]) == 0
    read, printed = (load_photometry(n, MIRI, "test").table for n in (str(out), "table5"))
    assert list(read["iflux"]) == list(printed["iflux"])


def test_units_that_a_file_leaves_out_or_calls_otherwise_are_said(tmp_path: Path, capsys):
    _csv(tmp_path / "rows.csv")
    assert main(["fetch", str(tmp_path / "rows.csv"), "--out", str(tmp_path / "a.ecsv")]) == 0
    assert (
        "note: rows.csv: columns without a unit are taken in that of Table 5: time [d], pixrate "
        "[DN / s], pixwelldepth [DN], inttime [s], iflux [DN / s], ifluxunc [DN / s], ibkg "
        "[DN / (pix s)], flux [mJy], fluxunc [mJy], bkg [MJy / sr].\n"
    ) in capsys.readouterr().err
    table = shipped_table("table5")["name", "srctype", "filter", "subarray", "time"]
    table["iflux"], table["ifluxunc"] = (shipped_table("table5")[n] for n in ("iflux", "ifluxunc"))
    sent = votable({"rows": table}).replace('unit="DN/s"', 'unit="ct/s"')
    (tmp_path / "rows.vot").write_text(sent, encoding="utf-8")
    out = tmp_path / "b.ecsv"
    assert main(["fetch", str(tmp_path / "rows.vot"), "--out", str(out)]) == 0
    assert (
        "note: rows: counts are taken to be DN in iflux [ct / s], ifluxunc [ct / s].\n"
        in capsys.readouterr().err
    )
    assert load_photometry(str(out), MIRI, "test").table["iflux"].unit == "DN / s"


def test_a_file_that_is_no_table_is_refused(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("letter.txt").write_text("Dear all\n")
    assert main(["fetch", "letter.txt"]) == 2
    assert capsys.readouterr().err == (
        "mirical: letter.txt: not a table that is known; expected ECSV, CSV or TSV with the "
        "names of its columns in the first line, FITS, VOTable, Parquet, or the journal's "
        "machine-readable format.\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_what_a_header_says_of_apertures_and_versions_is_kept(tmp_path: Path):
    table = shipped_table("table5")
    radii = {"F770W": [4.5, 7.0, 8.5]}
    table.meta |= {"apertures_pix": radii, "CAL_VER": "1.14.0"}
    table.write(tmp_path / "a.ecsv", format="ascii.ecsv")
    out = tmp_path / "b.ecsv"
    assert main(["fetch", str(tmp_path / "a.ecsv"), "--out", str(out)]) == 0
    kept = load_photometry(str(out), MIRI, "test")
    assert kept.measured_in == {"F770W": (4.5, 7.0, 8.5)} and not kept.simulated
    assert set(Table.read(out, format="ascii.ecsv")["cal_ver"]) == {"1.14.0"}
