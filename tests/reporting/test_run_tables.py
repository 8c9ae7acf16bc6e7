"""Tables of runs with stars of unknown flux, another time law, and readouts private to a band."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from astropy.table import QTable

from designs import crowded_design
from drawn import drawn_tree
from miri_facts import MIRI
from mirical.calibration.basis import coefficient_basis
from mirical.calibration.comparison import compare_coefficients
from mirical.calibration.draws import Draws, Variable
from mirical.calibration.posterior import PosteriorCalibration
from mirical.calibration.published import PublishedCalibration
from mirical.inference.posterior_predictive import RowChecks
from mirical.laws.timelaw import ADDITIVE, LINEAR
from mirical.number_text import measured, stars_counted
from mirical.reporting.curves import predictive_table
from mirical.reporting.figures import star_offsets
from mirical.reporting.result_tables import coefficient_sheet, star_sheet
from mirical.reporting.run_tables import coefficient_table, star_table, subarray_band_table
from mirical.tables.apertures import published_apertures

FREE = (1, 3)
DESIGN = crowded_design(60, free=FREE)


def draws(narrow: float = 1.0) -> Draws:
    """Draws of a design's stars and throughputs; those of the posterior are so much narrower."""
    unit = np.linspace(-1, 1, 40).reshape(2, 20)[..., None]
    sizes = {name: len(getattr(DESIGN, f"{name}s")) for name in ("band", "subarray", "star")}
    places = {
        "star_offset": ("star",),
        "star_band_offset": ("star", "band"),
        "free_flux": ("star", "band"),
        "D": ("subarray",),
        "D_band": ("band", "subarray"),
        **dict.fromkeys(("A", "loss", "tau"), ("band",)),
    }

    def group(width: float) -> xr.Dataset:
        found = {}
        for name, dims in places.items():
            shape = [sizes[dim] for dim in dims]
            spread = 0.01 * width * unit.reshape(2, 20, *[1] * len(dims)) * np.ones(shape)
            found[name] = 1.0 + 0 * spread if name == "D" else spread
        found["D_band"] = 0.98 + found["D_band"]
        found["D_band"][..., 0] = 1.0
        found["A"], found["tau"] = 0.4 + found["A"], 200.0 + 0 * found["tau"]
        found["free_flux"] = 0.25 * DESIGN.free[:, None] * np.ones_like(found["free_flux"])
        coords = {n: list(getattr(DESIGN, f"{n}s")) for n in sizes}
        named = {name: (("chain", "draw", *places[name]), of) for name, of in found.items()}
        return xr.Dataset(named, coords=coords)

    rows = {f"{n}_index": ("row", getattr(DESIGN, n)) for n in ("band", "subarray", "star")}
    groups = {"posterior": group(narrow), "prior": group(1.0), "constant_data": xr.Dataset(rows)}
    return Draws.of(xr.DataTree.from_dict(groups))


def test_a_free_star_has_no_offset_in_table_sheet_or_figure():
    table = star_table(draws(), DESIGN)
    assert list(table["flux"]) == ["predicted", "free", "predicted", "free", "predicted"]
    for name in ("offset_pct", "offset_pct_std", "largest_colour_pct", "largest_colour_pct_std"):
        assert list(table[name].mask) == [False, True, False, True, False]
    assert not table["basis"][1] and not table["largest_colour_band"][1]
    sheet = star_sheet({"stars": table}, MIRI)
    assert [line[0].text for line in sheet.lines] == ["A", "C", "E"]
    (axes,) = star_offsets(table, MIRI, False).axes
    assert {label.get_text() for label in axes.get_yticklabels()} == {"A", "C", "E"}


def test_without_free_stars_nothing_is_said_of_them():
    design = replace(DESIGN, free=np.zeros(5), has_free=False)
    table = star_table(draws(), design)
    assert "flux" not in table.colnames and not hasattr(table["offset_pct"], "mask")


NOTHING = np.zeros((1, 2, 60))
UNCHECKED = RowChecks(NOTHING, NOTHING, NOTHING[0, 0], NOTHING[0, 0])


def test_rows_of_a_free_star_are_quoted_with_its_fitted_flux():
    table = predictive_table(PosteriorCalibration(draws(), MIRI), UNCHECKED, DESIGN)
    raised = np.isin(DESIGN.star, FREE)
    expected = np.exp(DESIGN.log_factor + 0.25 * raised)
    expected *= np.where(DESIGN.subarray == 0, 1.0, 0.98)
    np.testing.assert_allclose(table["factor_full"].value, expected, rtol=1e-12)


def test_rows_are_brought_to_the_mean_of_their_star_and_stand_beside_the_curve():
    made = draws()
    drawn = dict(made.groups["posterior"])
    shape = 2, 20, len(DESIGN.stars), len(DESIGN.bands)
    add = {"star_offset": 0.1, "star_band_offset": 0.01, "flux_offset": 0.001}
    for name, size in add.items():
        known = drawn.get(name, Variable(("chain", "draw", "star", "band"), np.zeros(shape)))
        drawn[name] = Variable(known.dims, known.values + size)
    kinds = (*shape[:2], len(DESIGN.types), shape[3])
    by_type = np.broadcast_to(np.arange(kinds[2])[:, None], kinds)
    drawn["type_band_offset"] = Variable(("chain", "draw", "srctype", "band"), by_type)
    calibration = PosteriorCalibration(
        replace(made, groups={**made.groups, "posterior": drawn}), MIRI
    )
    table = predictive_table(calibration, UNCHECKED, DESIGN)
    offset = np.where(np.isin(DESIGN.star, FREE), 0.0, 0.111 + DESIGN.star_type[DESIGN.star])
    found = np.log(table["factor_full"].value / table["factor_aligned"].value)
    np.testing.assert_allclose(found, offset, atol=1e-12)
    one = PosteriorCalibration(made, MIRI)
    for row in table[[0, 17, 59]]:
        asked = one.in_reference(str(row["filter"]), float(row["mjd"].value))
        assert row["factor_curve"].value == np.median(one.draws(asked))


@pytest.mark.parametrize(("narrow", "word"), [(1.0, "prior"), (0.7, "partly prior"), (0.2, "data")])
def test_private_throughputs_are_those_of_pairs_with_rows(narrow, word):
    calibration = PosteriorCalibration(draws(narrow), MIRI)
    assert calibration.private_readouts
    table = subarray_band_table(calibration, DESIGN)
    band, subarray = (np.asarray(getattr(DESIGN, n)) for n in ("band", "subarray"))
    seen = [
        (b, a, int(np.sum((band == i) & (subarray == k))))
        for i, b in enumerate(DESIGN.bands)
        for k, a in enumerate(DESIGN.subarrays)
        if k and np.any((band == i) & (subarray == k))
    ]
    assert list(zip(table["filter"], table["subarray"], table["n_rows"], strict=True)) == seen
    np.testing.assert_allclose(table["D"], 0.98)
    assert set(table["basis"]) == {word}
    assert "zero_point_offset" not in table.colnames


def test_private_throughputs_are_zero_points_where_factors_are():
    # The names of the bands are MIRI's; nothing but the view is asked of the instrument.
    seen_as = SimpleNamespace(factor=SimpleNamespace(view="AB"), reference="FULL")
    table = subarray_band_table(PosteriorCalibration(draws(0.2), seen_as), DESIGN)
    np.testing.assert_allclose(table["zero_point_offset"].value, 2.5 * np.log10(0.98))
    np.testing.assert_allclose(
        table["zero_point_offset_std"].value, 2.5 / np.log(10) * table["D_std"] / 0.98
    )


def coefficients_of(law: str) -> SimpleNamespace:
    """Return a run whose posterior is as wide as its prior, with rows of four stars."""
    tree = drawn_tree(law)
    of = tree["posterior"].to_dataset()
    of = of.assign(C_ref=of["A"])
    if law == LINEAR:
        of = of.assign(B=0 * of["A"], tau=0 * of["A"] + np.inf)
    rows = tree["constant_data"].to_dataset()
    rows = rows.assign(visit_index=rows["star_index"])
    tree = xr.DataTree.from_dict({"posterior": of, "prior": of, "constant_data": rows})
    tree.attrs |= {"time_law": law, "reference_mjd": 59760.0, "simulated": 0}
    calibration = PosteriorCalibration.of(tree, MIRI)
    design = SimpleNamespace(
        bands=tuple(calibration.bands),
        band=rows["band_index"].values,
        star=rows["star_index"].values,
        free=np.array([0.0, 1.0, 0.0, 0.0]),
        has_free=True,
        t0=MIRI.t0,
    )
    table = coefficient_table(calibration, design, published_apertures(MIRI))
    return SimpleNamespace(calibration=calibration, table=table)


@pytest.fixture(scope="module")
def linear() -> SimpleNamespace:
    """A run of the linear law."""
    return coefficients_of(LINEAR)


def test_a_law_without_a_loss_a_year_has_no_column_of_it():
    table = coefficients_of(ADDITIVE).table
    assert not [name for name in table.colnames if "year" in name]
    known = table["n_stars"] > 0
    assert all(set(table[f"{name}_basis"][known]) == {"prior"} for name in ("A", "B", "tau"))


def test_the_loss_a_year_stands_where_the_law_has_it(linear):
    rates = 100 * linear.calibration.run_draws.values("loss_per_year")
    known = [linear.table["filter"].tolist().index(b) for b in linear.calibration.bands]
    np.testing.assert_allclose(linear.table["loss_per_year_pct"].value[known], rates.mean((0, 1)))
    assert set(linear.table["loss_per_year_basis"][known]) == {"prior"}
    # Rows begin 10 days after t0: what A is there, the loss says; B and tau the law does not have.
    assert set(linear.table["A_basis"][known]) == {"prior"}
    assert set(linear.table["B_basis"][known]) == {"by definition"}
    assert set(linear.table["tau_basis"][known]) == {"by definition"}


def test_where_rows_lie_about_t0_a_of_a_linear_law_rests_on_them(linear):
    drawn = linear.calibration.run_draws
    rows = dict(drawn.groups["constant_data"])
    rows["elapsed"] = Variable(("row",), rows["elapsed"].values - 300.0)
    about = Draws(drawn.attrs, drawn.groups | {"constant_data": rows})
    said = coefficient_basis(about)
    assert said["A"] == said["C_ref"] == ["data"] * len(said["A"])


def test_predicted_and_free_stars_are_counted_apart(linear):
    row = linear.table[linear.table["filter"] == "F770W"][0]
    assert (row["n_stars"], row["n_free_stars"]) == (3, 1)
    assert stars_counted(row).text == "3 + 1 free"
    assert stars_counted(QTable({"n_stars": [3]})[0]).text == "3"


def test_the_sheet_shows_a_loss_a_year_in_the_place_of_b_and_tau(linear):
    compared = compare_coefficients(linear.table, PublishedCalibration(MIRI), MIRI)
    sheet = coefficient_sheet({"coefficients": linear.table, "comparison": compared}, LINEAR, MIRI)
    over = [head for head, _ in sheet.groups]
    assert over == ["", "A", "Loss a year (%)", "Repeatability (%)"]
    assert sheet.title.startswith("Coefficients of C = A / (1 - r x/365 d), x = t − t0, r the loss")
    row = linear.table[linear.table["filter"] == "F770W"][0]
    found = next(line for line in sheet.lines if line[0].text == "F770W")
    rate, error = (row[f"loss_per_year_pct{end}"].value for end in ("", "_std"))
    assert found[4].text == measured(rate, error).text and found[4].basis == "prior"
    assert [entry.text for entry in found[5:7]] == ["–", "–"]
