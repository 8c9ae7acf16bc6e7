"""Figures of a stored check: each of its own table and parameter, labelled where simulated."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.table import QTable

from mirical.checking.figures import AXES
from mirical.errors import InputError
from mirical.figures.check_figures import CHECK_FIGURES, draw_check_figure
from mirical.instruments.cards import load_instrument

REPORTS = Path(__file__).parents[2] / "reports"
MIRI = load_instrument("miri", "test")


def drawn(run: str, kind: str, bands: list[str] | None = None, **known: object):
    """Return a figure of a check that is kept with the reports."""
    meta = QTable.read(REPORTS / run / "check" / "loo.ecsv", format="ascii.ecsv").meta
    return draw_check_figure(kind, REPORTS / run, {**meta, **known}, MIRI, bands)


@pytest.mark.parametrize("kind", CHECK_FIGURES)
def test_each_figure_is_of_what_its_name_says_and_says_whether_it_is_simulated(kind: str):
    figure = drawn("table5", kind)
    assert figure.get_suptitle() == ""
    label = AXES.get(kind.removeprefix("dependence_"))
    if label is not None:
        assert {axes.get_xlabel() for axes in figure.axes if axes.get_xlabel()} == {label}
    assert drawn("table5", kind, simulated=True).get_suptitle() == "simulated data"


def test_only_rows_of_the_bands_asked_for_are_drawn():
    figure = drawn("table5", "dependence_flux", ["F1500W", "F770W"])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["F770W", "F1500W"]
    (axes,) = drawn("table5", "loo_pit", ["F1130W"]).axes
    assert axes.get_title() == "5 rows, each predicted of all others"
    with pytest.raises(InputError, match="influence: this figure is of all bands at once"):
        drawn("table5", "influence", ["F770W"])


def test_a_parameter_that_no_row_states_is_not_drawn(monkeypatch: pytest.MonkeyPatch):
    from mirical.figures import check_figures

    def without(folder: Path, name: str, kind: str, attrs: object) -> QTable:
        table = QTable.read(folder / "check" / f"{name}.ecsv", format="ascii.ecsv")
        return table[table["parameter"] != "well"] if name == "dependences" else table

    monkeypatch.setattr(check_figures, "_read", without)
    with pytest.raises(InputError, match="dependence_well: the rows of this run do not tell it"):
        drawn("table5", "dependence_well")
