"""Apertures that a table says it was measured in, stacked or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from astropy.table import vstack

from mirical.errors import InputError
from samples import load, repeated

RADII = [4.22, 8.92, 14.64]


def stated(folder: Path, *headers: Any):
    tables = [repeated(1) for _ in headers]
    for i, (table, header) in enumerate(zip(tables, headers, strict=True)):
        table["time"] += 7.0 * i
        table.meta["apertures_pix"] = header
    return load(vstack(tables), folder).measured_in


def test_tables_stacked_end_to_end_were_measured_as_each_of_them(tmp_path: Path):
    assert stated(tmp_path, {"F770W": RADII}) == {"F770W": tuple(RADII)}
    assert stated(tmp_path, *[{"F770W": RADII}] * 3) == {"F770W": tuple(RADII)}
    bands = stated(tmp_path, {"F770W": RADII}, {"F1000W": [6.0, 8.0, 9.0]})
    assert bands == {"F770W": tuple(RADII), "F1000W": (6.0, 8.0, 9.0)}


REFUSED = {
    "two reductions": (
        [{"F770W": RADII}, {"F770W": [6.0, 20.0, 25.0]}],
        r"^rows\.ecsv: F770W was measured with r_a, r_b1, r_b2 = 4\.22, 8\.92, 14\.64 pixels in "
        r"some rows and with 6, 20, 25 in others: two reductions in one table; fit them apart, or "
        r"measure all images with the same apertures\.$",
    ),
    "two numbers": (
        [{"F770W": [4.22, 8.92]}],
        r"apertures_pix of F770W in the header has 2 numbers; expected r_a, r_b1, r_b2 in pixels",
    ),
    "words": ([{"F770W": "Table 4"}], r"of F770W in the header is 'Table 4'; expected r_a, r_b1"),
    "no bands": (
        [RADII],
        r"apertures_pix of the header is \[4\.22, 8\.92, 14\.64\]; expected radii",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_radii_that_are_none_or_two_are_refused(case: str, tmp_path: Path):
    headers, sentence = REFUSED[case]
    with pytest.raises(InputError, match=sentence):
        stated(tmp_path, *headers)
