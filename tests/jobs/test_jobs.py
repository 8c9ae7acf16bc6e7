"""Job files: what they resolve to, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from miri_facts import T0_MJD
from mirical.errors import InputError
from mirical.jobs.inputs import most_draws, resolve_job
from mirical.jobs.job import Job, load_job, with_options
from mirical.jobs.sampler import Sampler
from samples import card_text, photometry, with_units, write_ecsv

LEAST = 'photometry = "table5"\nmodel = "hierarchical"\n'


def job(text: str, folder: Path) -> Job:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return load_job(str(path))


def test_the_default_job_is_table_5_with_the_hierarchical_model():
    shipped = load_job("table5")
    assert (shipped.name, shipped.photometry, shipped.model) == ("table5", "table5", "hierarchical")
    assert shipped.sampler == Sampler(chains=4, warmup=300, target_ess=4000, seed=59720)


def test_the_default_job_fits_thirty_of_its_thirty_one_rows():
    inputs = resolve_job(load_job("table5"))
    assert inputs.card.name == "hierarchical"
    assert len(inputs.factors.observations.table) == 31
    assert inputs.design.rows == (*range(1, 28), *range(29, 32))


def test_a_job_states_as_little_as_its_data_and_its_card(tmp_path: Path):
    own = job(LEAST + "[sampler]\nchains = 2\ntarget_accept = 0.8\n", tmp_path)
    assert own.sampler == Sampler(chains=2, target_accept=0.8)
    assert own.predicted_fluxes == "shipped" and own.folder == tmp_path


def test_the_provenance_a_run_wrote_is_no_instruction(tmp_path: Path):
    assert job(LEAST + "[provenance]\nseed = 1\n", tmp_path) == job(LEAST, tmp_path)


def test_paths_in_a_job_are_relative_to_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_ecsv(photometry(), tmp_path / "rows.ecsv")
    (tmp_path / "card.toml").write_text(card_text())
    fluxes = Table({"name": ["G 191-B2B"], "filter": ["F770W"], "model_flux": [0.5]})
    write_ecsv(with_units(fluxes), tmp_path / "fluxes.ecsv")
    own = job(
        'photometry = "rows.ecsv"\nmodel = "card.toml"\npredicted_fluxes = "fluxes.ecsv"\n',
        tmp_path,
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    inputs = resolve_job(own)
    assert inputs.card.name == "card"
    rows = inputs.factors.observations.table
    assert rows["model_flux"][1].to_value("mJy") == 0.5
    # The user's star is the user's alone: F1130W of it is not taken from the shipped table.
    assert list(rows["flag"]) == ["", "", "no_prediction"]


def test_options_override_the_file_and_are_relative_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write_ecsv(photometry()[:2], tmp_path / "rows.ecsv")
    inner = tmp_path / "inner"
    inner.mkdir()
    write_ecsv(photometry(), inner / "rows.ecsv")
    own = job(LEAST + "[sampler]\ndraws = 20\n", inner)
    monkeypatch.chdir(tmp_path)
    given = with_options(
        own, {"photometry": "rows.ecsv", "model": None}, {"seed": 7, "chains": None}
    )
    assert given.sampler == Sampler(draws=20, seed=7) and given.model == "hierarchical"
    assert len(resolve_job(given).factors.observations.table) == 2


def test_a_folder_of_that_name_does_not_hide_the_embedded_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "table5").mkdir()  # as reports/ has it
    monkeypatch.chdir(tmp_path)
    given = with_options(load_job("table5"), {"photometry": "table5"}, {})
    assert given.photometry == "table5"


REFUSED = {
    "not TOML": ("photometry = [", "own.toml: not valid TOML: Invalid value (at end of document)."),
    "missing photometry": (
        'model = "hierarchical"',
        "own.toml: 'photometry' is missing; expected a name or a path in quotes.",
    ),
    "missing model": (
        'photometry = "table5"',
        "own.toml: 'model' is missing; expected a name or a path in quotes.",
    ),
    "a number for a name": (
        LEAST + "predicted_fluxes = 3",
        "own.toml: 'predicted_fluxes' is 3; expected a name or a path in quotes.",
    ),
    "misspelt key": (
        LEAST + 'modle = "x"',
        "own.toml: unknown key 'modle'; did you mean 'model'?",
    ),
    "sampler is no table": (
        LEAST + "sampler = 4",
        "own.toml: sampler is 4; expected a table.",
    ),
    "misspelt setting": (
        LEAST + "[sampler]\nchain = 4",
        "own.toml: sampler: unknown key 'chain'; did you mean 'chains'?",
    ),
    "no chains": (
        LEAST + "[sampler]\nchains = 0",
        "own.toml: sampler chains is 0; expected a whole number >= 1.",
    ),
    "truth for a number": (
        LEAST + "[sampler]\nchains = true",
        "own.toml: sampler chains is True; expected a whole number >= 1.",
    ),
    "too little warm-up": (
        LEAST + "[sampler]\nwarmup = 99",
        "own.toml: sampler warmup is 99; expected a whole number >= 100.",
    ),
    "a fraction of a draw": (
        LEAST + "[sampler]\ndraws = 1000.0",
        "own.toml: sampler draws is 1000.0; expected a whole number >= 4.",
    ),
    "negative seed": (
        LEAST + "[sampler]\nseed = -1",
        "own.toml: sampler seed is -1; expected a whole number >= 0.",
    ),
    "seed beyond 32 bits": (
        LEAST + "[sampler]\nseed = 4294967296",
        "own.toml: sampler seed is 4294967296; expected a whole number up to 4294967295.",
    ),
    "acceptance of one": (
        LEAST + "[sampler]\ntarget_accept = 1.0",
        "own.toml: sampler target_accept is 1.0; expected 0.5 to 1.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_job_that_cannot_be_used_is_refused(case: str, tmp_path: Path):
    text, sentence = REFUSED[case]
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        job(text, tmp_path)


def test_draws_that_do_not_fit_into_memory_are_refused_before_any_work():
    asked = with_options(load_job("table5"), {}, {"chains": 1000, "draws": 10**6})
    sentence = r"^1000 chains of 1000000 draws of 30 rows need about \d+ GB, and this machine has "
    with pytest.raises(InputError, match=sentence):
        resolve_job(asked)


def test_without_a_number_of_draws_memory_is_their_bound(monkeypatch: pytest.MonkeyPatch):
    job = load_job("table5")
    design = resolve_job(job).design
    assert most_draws(job.sampler, design) == 20000
    monkeypatch.setattr("mirical.jobs.inputs.memory", lambda: 2e7)
    with pytest.raises(InputError, match="of 1000 draws of 30 rows need .* lower --chains"):
        resolve_job(job)
    monkeypatch.setattr("mirical.jobs.inputs.memory", lambda: 2e8)
    resolve_job(job)
    assert 1000 < most_draws(job.sampler, design) < 20000


def test_a_target_as_an_option_takes_the_place_of_the_file_s_length(tmp_path: Path):
    own = job(LEAST + "time_limit = 2\n[sampler]\ndraws = 20\n", tmp_path)
    assert with_options(own, {}, {"target_ess": 500}).sampler == Sampler(target_ess=500)
    assert with_options(own, {}, {"max_draws": 900}).sampler == Sampler(max_draws=900)
    both = with_options(own, {}, {"max_draws": 900, "draws": 30}).sampler
    assert both == Sampler(draws=30, max_draws=900)
    assert own.time_limit == 2.0
    assert with_options(own, {}, {}, time_limit=0.5).time_limit == 0.5
    with pytest.raises(InputError, match=r"^options: --time-limit is 0; expected minutes, such"):
        with_options(own, {}, {}, time_limit=0)


def test_an_option_that_cannot_be_used_is_refused():
    sentence = r"^options: sampler draws is 3; expected a whole number >= 4\.$"
    with pytest.raises(InputError, match=sentence):
        with_options(load_job("table5"), {}, {"draws": 3})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"photometry": "nothing.ecsv"},
            "job table5: photometry file 'nothing.ecsv' does not exist; "
            "give a path to a table, or 'table5' for the embedded rows.",
        ),
        (
            {"model": "hierarchcal"},
            "job table5: no model card 'hierarchcal' is shipped or found as a file; "
            "did you mean 'hierarchical'?",
        ),
        (
            {"predicted_fluxes": "nothing.ecsv"},
            "nothing.ecsv: no such file; expected a table with columns name, filter, model_flux.",
        ),
    ],
)
def test_a_job_that_names_a_missing_file_is_refused(change: dict[str, str], sentence: str):
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        resolve_job(with_options(load_job("table5"), change, {}))


def test_a_missing_job_is_refused():
    with pytest.raises(
        InputError, match="^job: no job 'tabel5' is shipped or found as a file; did"
    ):
        load_job("tabel5")


def test_a_job_of_another_table_is_called_by_its_name(tmp_path):
    own = tmp_path / "my rows.ecsv.gz"
    own.touch()
    job = load_job("table5")
    assert with_options(job, {"photometry": str(own)}, {}).name == "my rows"
    assert with_options(job, {"photometry": "table5"}, {}).name == "table5"
    assert with_options(job, {"photometry": None}, {"seed": 3}).name == "table5"


def test_the_reference_epoch_lies_among_the_rows_or_is_asked_for(tmp_path: Path):
    design = resolve_job(load_job("table5")).design
    assert design.reference_mjd == 59760.0
    later = replace(design, elapsed=np.asarray(design.elapsed) + 1000.0)
    first, last = T0_MJD + later.elapsed.min(), T0_MJD + later.elapsed.max()
    assert first <= later.reference_mjd <= last
    assert later.reference_mjd == np.round(T0_MJD + np.median(later.elapsed))
    job = with_options(load_job("table5"), {}, {}, 60500.0)
    assert job.reference_mjd == 60500.0
    own = tmp_path / "own.toml"
    text = 'photometry = "table5"\nmodel = "hierarchical"\nreference_mjd = {}\n'
    own.write_text(text.format("60100"))
    assert load_job(str(own)).reference_mjd == 60100.0
    for wrong in ("'today'", "true", "260500.5", "nan"):
        own.write_text(text.format(wrong))
        with pytest.raises(InputError, match=r"^own\.toml: reference_mjd is .*; expected an MJD"):
            load_job(str(own))


def test_a_job_names_its_folder_or_is_refused(tmp_path: Path):
    path = tmp_path / "...toml"
    path.write_text(LEAST, encoding="utf-8")
    with pytest.raises(InputError, match=r"a job's run is named after its file; give the file a"):
        load_job(str(path))
    path = tmp_path / "two\nlines.toml"
    path.write_text(LEAST, encoding="utf-8")
    assert load_job(str(path)).name == "two lines"
