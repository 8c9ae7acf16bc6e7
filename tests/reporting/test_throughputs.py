"""Throughputs are those of the table, of each band where readouts have nothing in common."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from miri_facts import MIRI
from mirical.instruments.cards import load_instrument
from mirical.plotting.canvas import OURS
from mirical.reporting import throughputs
from mirical.reporting.throughputs import throughput_figure, throughput_sheet

WFC3 = load_instrument("wfc3", "test")


@pytest.fixture
def pairs() -> QTable:
    """Two bands of WFC3 in another cycle; data decided the first alone."""
    table = QTable({"filter": ["F336W", "F160W"], "subarray": ["CYCLE20", "CYCLE20"]})
    table["D"], table["D_std"] = [0.97, 1.01], [0.004, 0.02]
    table["zero_point_offset"] = [-0.0331, 0.0108] * u.mag
    table["zero_point_offset_std"] = [0.0045, 0.0215] * u.mag
    table["n_rows"], table["basis"] = [27, 1], ["data", "prior"]
    return table


def test_subarrays_without_data_are_hollow_and_labelled(run):
    published = {"FULL": 1.0, "SUB64": 0.966}
    (axes,) = throughputs.subarray_throughputs(run.tables["subarrays"], published, MIRI, False).axes
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels[0] == "FULL\n13 rows, by definition"
    assert labels[1] == "BRIGHTSKY\n0 rows, prior"
    assert labels[4] == "SUB64\n1 row, partly prior"
    points = [line for line in axes.get_lines() if line.get_color() == OURS]
    assert [point.get_markerfacecolor() for point in points] == [OURS, *["white"] * 4]
    assert [point.get_ydata()[0] for point in points] == list(run.tables["subarrays"]["D"])
    theirs = [line.get_ydata()[0] for line in axes.get_lines() if line.get_marker() == "D"]
    np.testing.assert_array_equal(theirs, [1.0, np.nan, np.nan, np.nan, 0.966])


def test_private_throughputs_are_drawn_in_each_band_with_magnitudes_above(pairs):
    tables = {"subarrays": QTable(), "subarray_bands": pairs}
    axes = throughput_figure(tables, {}, WFC3, True).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "F336W, CYCLE20",
        "F160W, CYCLE20",
    ]
    points = [line for line in axes.get_lines() if line.get_color() == OURS]
    assert [point.get_xdata()[0] for point in points] == [0.97, 1.01]
    assert [point.get_markerfacecolor() for point in points] == [OURS, "white"]
    beside, above = axes.child_axes
    assert [label.get_text() for label in beside.get_yticklabels()] == ["27 rows", "1 row, prior"]
    axes.figure.canvas.draw()
    np.testing.assert_allclose(above.get_xlim(), 2500 * np.log10(axes.get_xlim()), rtol=1e-12)


def test_the_sheet_of_private_throughputs_has_millimagnitudes(pairs):
    sheet = throughput_sheet({"subarrays": QTable(), "subarray_bands": pairs}, WFC3)
    assert [[entry.text for entry in line] for line in sheet.lines] == [
        ["F336W", "CYCLE20", "0.9700 ± 0.0040", "−33.1 ± 4.5", "27"],
        ["F160W", "CYCLE20", "1.010 ± 0.020", "11 ± 22", "1"],
    ]
    assert sheet.heads == ("Band", "Subarray", "D", "AB zero point (mmag)", "Rows")
    assert [entry.basis for entry in sheet.lines[1][2:4]] == ["prior", "prior"]
