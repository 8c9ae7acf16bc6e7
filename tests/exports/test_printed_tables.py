"""Tables 8 and 7 for journals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from drawn import drawn_calibration, drawn_tree, write_drawn
from miri_facts import MIRI
from mirical.calibration.posterior import PosteriorCalibration
from mirical.calibration.published import PublishedCalibration
from mirical.cli import main
from mirical.exports.printed_tables import factor_table, latex, write_machine_readable

PUBLISHED, DRAWN = PublishedCalibration(MIRI), drawn_calibration()


def test_table_8_of_the_published_calibration_is_as_printed():
    text = latex(PUBLISHED)
    assert r"F2550W & $0.9064 \pm 0.0089$ & $-0.2011$ & $235.4$ & $0.7367 \pm 0.0072$" in text
    assert r"FND & $41.56 \pm 0.39$ & $-1.365$ & $200.0$" in text and r"& 10 & \nodata" in text
    assert r"SUB64 & $0.966$" in text and "correlated" not in text
    assert text.count(r"\begin{deluxetable*}") == text.count(r"\end{deluxetable*}") == 2


def test_a_simulated_calibration_says_so_and_that_its_errors_are_correlated():
    text = latex(DRAWN)
    assert text.startswith("% SIMULATED") and r"\tablecaption{SIMULATED Calibration" in text
    assert "errors of different bands are correlated" in text


def test_tables_say_which_error_they_carry_and_have_both(tmp_path: Path):
    absolute = drawn_calibration(absolute=("flux_scale", "types"))
    text, table = latex(absolute), factor_table(absolute)
    assert r"\sigma_{rel}$(CF)" in text and "Note: errors are absolute: they hold" in text
    row = next(line for line in text.splitlines() if line.startswith("F770W"))
    sizes = [table[f"sigma_{name}_pct"].value[1] for name in ("cf", "relative")]
    assert row.split(" & ")[5:7] == [f"${size:.2f}$" for size in sizes] and sizes[0] > sizes[1]
    write_machine_readable(absolute, tmp_path / "t.txt")
    back = Table.read(tmp_path / "t.txt", format="ascii.mrt")
    np.testing.assert_allclose(back["e_C_rel"], table["C_relative_std"].value, atol=1e-6)
    assert "errors are absolute" in (tmp_path / "t.txt").read_text()
    assert "absolute errors are unknown" in latex(PUBLISHED) and "rel}" not in latex(PUBLISHED)


def test_throughputs_that_are_private_to_bands_are_printed_band_by_band():
    tree = drawn_tree()
    drawn = tree["posterior"].to_dataset()
    at = {"band": "F770W", "subarray": "SUB64"}
    drawn["D"][:] = 1.0
    drawn["D_band"].loc[at] = drawn["D_band"].loc[at] - drawn["D_band"].loc[at].mean() + 0.95
    tree["posterior"] = type(tree)(drawn)
    text = latex(PosteriorCalibration.of(tree, MIRI, name="drawn"))
    assert r"\colhead{Band} & \colhead{Subarray} & \colhead{$D_{SA}$}" in text
    assert r"F770W & SUB64 & $0.9500 \pm 0.0030$" in text
    assert "Throughput of each subarray in each band relative to FULL." in text


def test_a_name_stays_in_the_comment_and_the_title(tmp_path: Path):
    named = replace(DRAWN, name="réf\n\\\\input{x}")
    comment, _, _ = latex(named).partition("\n\n")
    assert comment.startswith(r"% SIMULATED calibration of r\xe9f \\input{x}, mirical")
    assert all(line.startswith("% ") for line in comment.splitlines())
    path = tmp_path / "table8.txt"
    write_machine_readable(named, path)
    lines = path.read_text(encoding="ascii").splitlines()
    assert lines[0] == r"Title: SIMULATED calibration factors of r\xe9f \\input{x}"


def test_a_run_named_like_commands_is_only_named_in_comments(tmp_path: Path):
    name = r"\input{x} a_b%&#"
    write_drawn(tmp_path / name)
    out = tmp_path / "table.tex"
    assert main(["export", str(tmp_path / name), "--to", "latex", str(out)]) == 0
    lines = out.read_text(encoding="ascii").splitlines()
    assert lines[0].startswith(f"% SIMULATED calibration of {name}, mirical ")
    # All after the first % of a line is a comment; no other line holds what the name does.
    named = [line for line in lines if "input" in line or "a_b" in line]
    assert named and all(line.startswith("% ") for line in named)


@pytest.mark.parametrize("calibration", [PUBLISHED, DRAWN], ids=["published", "drawn"])
def test_the_machine_readable_table_is_read_again(calibration, tmp_path: Path):
    path = tmp_path / "table8.txt"
    write_machine_readable(calibration, path)
    back, made = Table.read(path, format="ascii.mrt"), factor_table(calibration)
    assert list(back["Band"]) == list(made["filter"])
    for name in ("A", "B", "tau", "C"):
        np.testing.assert_allclose(
            np.ma.filled(back[name], np.nan),
            made[name].unmasked.value if hasattr(made[name], "unmasked") else made[name].value,
            atol=1e-6,
        )
    first = path.read_text().splitlines()[0]
    assert first.startswith("Title: SIMULATED" if calibration is DRAWN else "Title: calibration")
