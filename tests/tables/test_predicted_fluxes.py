"""Tables of predicted fluxes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable, Table

from miri_facts import MIRI
from mirical.errors import InputError
from mirical.tables.predicted_fluxes import (
    by_star_band,
    differences,
    read_fluxes,
    shipped_fluxes,
    with_own_stars,
)
from samples import blanking, setting, unit, write_ecsv


def own_table() -> Table:
    table = Table(
        {
            "name": ["HD 186427", "My Star"],
            "filter": ["F770W", "F770W"],
            "model_flux": [0.8, 0.001],
        }
    )
    table["model_flux"].unit = "Jy"
    return table


def test_a_users_fluxes_come_back_in_mjy_under_the_program_s_names(tmp_path: Path):
    read = read_fluxes(write_ecsv(own_table(), tmp_path / "own.ecsv"), MIRI)
    assert by_star_band(read) == {("16 Cyg B", "F770W"): 800.0, ("My Star", "F770W"): 1.0}


def test_magnitudes_are_converted(tmp_path: Path):
    table = own_table()
    table["model_flux"] = [8.9, 23.9]  # of 1 Jy and 1 uJy, to 0.03 %
    table["model_flux"].unit = "mag(AB)"
    fluxes = list(
        by_star_band(read_fluxes(write_ecsv(table, tmp_path / "own.ecsv"), MIRI)).values()
    )
    np.testing.assert_allclose(fluxes, [1000.0, 1e-3], rtol=4e-4)


def test_the_shipped_table_can_be_read_as_a_users_own():
    read = read_fluxes(Path(MIRI.folder) / "predicted_fluxes.ecsv", MIRI)
    assert by_star_band(read) == by_star_band(shipped_fluxes(MIRI))


def test_a_users_star_is_taken_from_the_users_table_alone(tmp_path: Path):
    own = read_fluxes(write_ecsv(own_table(), tmp_path / "own.ecsv"), MIRI)
    merged, shipped = with_own_stars(own, shipped_fluxes(MIRI)), by_star_band(shipped_fluxes(MIRI))
    assert merged["16 Cyg B", "F770W"] == 800.0
    assert merged["My Star", "F770W"] == 1.0
    assert ("16 Cyg B", "F560W") not in merged
    assert merged["10 Lac", "F560W"] == shipped["10 Lac", "F560W"]
    assert len(merged) == len(shipped) - 14 + 2


def fluxes(**by_band: float) -> QTable:
    table = QTable({"name": ["s"] * len(by_band), "filter": list(by_band)})
    table["model_flux"] = list(by_band.values()) * u.mJy
    return table


def test_two_tables_are_compared_flux_by_flux():
    new = fluxes(F560W=1.00009, F770W=1.00011, F1000W=1.0, FND=0.9)
    compared = differences(new, fluxes(F1500W=3.0, F560W=1.0, F770W=1.0, F1000W=2.0))
    assert list(compared["filter"]) == ["F1500W", "F560W", "F770W", "F1000W", "FND"]
    assert list(compared["status"]) == ["missing", "same", "differs", "differs", "new"]
    np.testing.assert_allclose(compared["diff_pct"], [np.nan, 0.009, 0.011, -50, np.nan], rtol=1e-9)


Change = Callable[[Table], None]
REFUSED: dict[str, tuple[Change, str]] = {
    "missing column": (
        lambda table: table.remove_column("filter"),
        "own.ecsv: column 'filter' is missing; "
        "expected a table with columns name, filter, model_flux.",
    ),
    "missing unit": (
        unit("model_flux", None),
        "own.ecsv: column 'model_flux' has no unit; expected mJy.",
    ),
    "wrong unit": (
        unit("model_flux", "DN/s"),
        "own.ecsv: column 'model_flux' is in DN / s; expected mJy or a unit that converts to it.",
    ),
    "not numeric": (
        setting("model_flux", 1, "bright"),
        "own.ecsv: column 'model_flux' is not numeric; expected numbers in mJy.",
    ),
    "unknown band": (
        setting("filter", 2, "F771W"),
        "own.ecsv row 2: band 'F771W' is not a MIRI band; did you mean 'F770W'?",
    ),
    "negative flux": (
        setting("model_flux", 1, -0.8),
        "own.ecsv row 1: column 'model_flux' is -800 mJy; expected a positive number.",
    ),
    "infinite flux": (
        setting("model_flux", 2, np.inf),
        "own.ecsv row 2: column 'model_flux' is inf mJy; expected a positive number.",
    ),
    "blank flux": (
        blanking("model_flux", 2),
        "own.ecsv row 2: column 'model_flux' is nan mJy; expected a positive number.",
    ),
    "blank star": (
        blanking("name", 2),
        "own.ecsv row 2: column 'name' is blank; every row needs it.",
    ),
    "magnitudes of no system": (
        unit("model_flux", "mag"),
        "own.ecsv: column 'model_flux' is in mag; expected mJy or a unit that converts to it, such "
        "as magnitudes with their zero point, mag(AB).",
    ),
    "a star twice in two spellings": (
        setting("name", 2, "*\u00a016 Cyg\u2009B"),
        "own.ecsv row 2: star '16 Cyg B' has band 'F770W' twice; keep one of the rows.",
    ),
    "a star of the user's own twice in two spellings": (
        setting("name", 1, "My_Star\u200b"),
        "own.ecsv row 2: star 'My_Star' has band 'F770W' twice; keep one of the rows.",
    ),
    "a name that prints nothing": (
        setting("name", 2, "\u200b\u00a0"),
        "own.ecsv row 2: column 'name' is blank; every row needs it.",
    ),
    "a star and band twice": (
        setting("name", 2, "16 Cyg B"),
        "own.ecsv row 2: star '16 Cyg B' has band 'F770W' twice; keep one of the rows.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_fluxes_that_cannot_be_used_are_refused(case: str, tmp_path: Path):
    change, sentence = REFUSED[case]
    table = own_table()
    change(table)
    path = write_ecsv(table, tmp_path / "own.ecsv")
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        read_fluxes(path, MIRI)


def test_a_file_that_is_missing_or_no_table_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"own\.ecsv: no such file; expected a table with"):
        read_fluxes(tmp_path / "own.ecsv", MIRI)
    (tmp_path / "own.ecsv").write_text("name filter\n")
    with pytest.raises(
        InputError, match=r"^own\.ecsv: not a table that is known; expected ECSV, CSV"
    ):
        read_fluxes(tmp_path / "own.ecsv", MIRI)
