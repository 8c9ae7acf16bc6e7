"""A fit from Python: the same run as the command line's, in memory and in its folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas
import pytest
from astropy.table import Table

import mirical as ml
from api.conftest import ASKED
from mirical.api.fits import NUMBERS, TEXTS, chosen_job
from mirical.api.given_tables import observed
from mirical.cli import main
from mirical.jobs.inputs import resolve_job
from samples import photometry, write_ecsv
from small_card import CARD


def draws(run: ml.Run) -> np.ndarray:
    return run.posterior["posterior"].to_dataset()["A"].to_numpy()


def test_a_table_in_memory_is_fitted_as_its_file_on_the_command_line(
    fitted: ml.Run, folder: Path, tmp_path: Path
):
    """The same rows and settings: the seed then fixes the same draws."""
    card = tmp_path / "small.toml"
    card.write_text(CARD, encoding="utf-8")
    rows = write_ecsv(photometry(), tmp_path / "rows.ecsv")
    texts = dict.fromkeys(TEXTS) | {"photometry": str(rows), "model": str(card)}
    numbers = dict.fromkeys(NUMBERS) | ASKED
    job = chosen_job(None, texts, numbers)
    design = resolve_job(job).design
    settings = (folder / "job.toml").read_text(encoding="utf-8")
    for name in ("warmup", "draws", "target_ess", "seed", "target_accept"):
        assert f"\n{name} = {getattr(job.sampler, name)}\n" in settings
    for name in ("log_factor", "log_factor_unc", "elapsed", "band", "subarray", "star"):
        np.testing.assert_array_equal(getattr(fitted._inputs.design, name), getattr(design, name))


def test_a_saved_run_opens_as_it_was(fitted: ml.Run, stored: ml.Run, folder: Path):
    np.testing.assert_array_equal(draws(stored), draws(fitted))
    assert stored.verdict == fitted.verdict and stored.believable is fitted.believable is False
    assert [row["name"] for row in Table.read(folder / "photometry.ecsv")] == [
        row["name"] for row in photometry()
    ]
    assert set(fitted.tables) | {"photometry"} == set(stored.tables)
    for name in ("coefficients", "rows", "curves"):
        np.testing.assert_array_equal(stored.tables[name]["filter"], fitted.tables[name]["filter"])
    assert stored.card.name == fitted.card.name == "small"
    assert stored.name == "tiny" and fitted.name == "table" and fitted.folder is None
    with pytest.raises(ml.InputError, match="stored already"):
        stored.save(folder.parent / "other")


def test_a_table_that_changed_since_is_refused(folder: Path, tmp_path: Path):
    shutil.copytree(folder, tmp_path / "run")
    run, path = ml.open(tmp_path / "run"), tmp_path / "run" / "curves.ecsv"
    path.write_text(path.read_text(encoding="utf-8").replace("F770W", "F560W"), encoding="utf-8")
    with pytest.raises(ml.InputError, match=r"curves\.ecsv: changed since the run wrote it"):
        run.calibration.plot.curves()
    with pytest.raises(ml.InputError, match=r"the run wrote no nothing\.ecsv"):
        run.tables["nothing"]


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"table": "nowhere.ecsv"}, "photometry file 'nowhere.ecsv' does not exist"),
        ({"table": 3}, "is a int; expected a path, or a table"),
        ({"card": "hierarchicl"}, "did you mean 'hierarchical'"),
        ({"instrument": "mirri"}, "mirri"),
        ({"warmups": 3}, "option 'warmups' is unknown; did you mean 'warmup'"),
        ({"draws": 1}, "draws is 1; expected a whole number >= 4"),
    ],
)
def test_what_cannot_be_fitted_is_refused_in_one_sentence(given: dict, match: str):
    with pytest.raises(ml.InputError, match=match):
        ml.fit(**given)


def test_a_run_tells_a_notebook_what_it_is(fitted: ml.Run, stored: ml.Run):
    html = stored._repr_html_()
    assert "Must not be believed." in html and "<td>" in html and "F1130W" in html
    assert repr(fitted) == "<Run table: 2 bands, NOT TO BE BELIEVED>"
    card = fitted.card._repr_html_()
    assert "repeatability_median" in card and 'scope="row"' in card


def test_a_simulated_program_is_that_of_the_command_line(tmp_path: Path):
    made = ml.simulate(4, effects={"step": 0.02})
    made.save(tmp_path / "python")
    asked = ["--seed", "4", "--effects", "step=0.02", "--out", str(tmp_path / "command")]
    assert main(["simulate", *asked]) == 0
    for name in ("photometry.ecsv", "truth.ecsv"):
        one, other = ((tmp_path / of / name).read_bytes() for of in ("python", "command"))
        assert one == other
    assert made.photometry.meta["simulated"] is True
    with pytest.raises(ml.InputError, match="effect 'stepp' is unknown"):
        ml.simulate(4, effects={"stepp": 0.1})


def test_simulated_rows_in_memory_stay_simulated():
    found, content = observed(ml.simulate(4).photometry, ml.published().instrument)
    assert found.simulated and b"simulated: true" in content


def test_units_that_are_meant_stand_in_the_file_of_a_table_in_memory():
    bare = photometry()
    for name in ("iflux", "ifluxunc", "time", "flux"):
        bare[name].unit = None
    found, content = observed(bare, ml.published().instrument)
    assert b"unit: DN / s" in content and "without a unit" in found.notes[0]
    frame = pandas.DataFrame({name: list(bare[name]) for name in bare.colnames})
    of_pandas, _ = observed(frame, ml.published().instrument)
    stated, _ = observed(photometry(), ml.published().instrument)
    for one in (found, of_pandas):
        np.testing.assert_array_equal(one.table["iflux"], stated.table["iflux"])
