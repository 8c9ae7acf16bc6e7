"""`mirical cards`, `jobs` and `sample`: what is shipped can be seen, copied and used."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.table import Table

from mirical.cards.card import load_card
from mirical.cli import main
from mirical.instruments.cards import load_instrument
from mirical.jobs.job import load_job
from mirical.storage.shipped import shipped_names
from mirical.tables.photometry import load_photometry
from mirical.tables.predicted_fluxes import read_fluxes
from simulated_outputs import silent

MIRI = load_instrument("miri", "test")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("command", "kind"), [("cards", "models"), ("jobs", "inference")])
def test_every_shipped_file_is_listed_shown_and_copied_to_the_byte(
    command: str, kind: str, capsys: pytest.CaptureFixture[str]
):
    assert main([command]) == 0
    listed, notes = capsys.readouterr()
    assert notes.startswith("note: ")
    for name in shipped_names(kind):
        assert any(line.split()[0] == name for line in listed.splitlines())
        assert main([command, "copy", name]) == 0
        assert f"{name}.toml is written" in capsys.readouterr().out
        assert main([command, "show", name]) == 0
        assert Path(f"{name}.toml").read_text(encoding="utf-8") == capsys.readouterr().out
    assert main([command, "list"]) == 0
    assert capsys.readouterr().out == listed


def test_a_copy_can_be_used(capsys: pytest.CaptureFixture[str]):
    assert main(["cards", "copy", "power-law", "--out", "mine/law.toml"]) == 0
    assert load_card("mine/law.toml", "test", MIRI).has("response_loss")
    assert main(["jobs", "copy", "table5"]) == 0
    assert load_job("table5.toml").model == "hierarchical"


def test_what_is_not_shipped_or_would_be_replaced_is_refused(capsys: pytest.CaptureFixture[str]):
    Path("pooled.toml").write_text("mine", encoding="utf-8")
    sentences = {
        "cards show poold": "cards show: no model card 'poold' is shipped; did you mean 'pooled'?",
        "jobs copy table6": "jobs copy: no job 'table6' is shipped; did you mean 'table5'?",
        "cards copy pooled": "pooled.toml: exists; choose another path, or --overwrite",
        "cards copy pooled --out a.txt": "cards copy: a.txt; expected a file name that ends with",
        "sample fluxes --instrument nircam": "sample fluxes: no predicted fluxes of NIRCam",
    }
    for command, sentence in sentences.items():
        assert main(command.split()) == 2
        assert capsys.readouterr().err.startswith(f"mirical: {sentence}"), command
    assert Path("pooled.toml").read_text(encoding="utf-8") == "mine"
    assert [path.name for path in Path().iterdir()] == ["pooled.toml"]


def test_sample_inputs_are_read_as_what_they_are(capsys: pytest.CaptureFixture[str]):
    for kind in ("photometry", "grid", "fluxes"):
        assert main(["sample", kind]) == 0
    out, err = capsys.readouterr()
    assert "photometry.ecsv: 31 rows" in out and "mirical run --photometry photometry.ecsv" in err
    assert len(load_photometry("photometry.ecsv", MIRI, "test").table) == 31
    assert len(read_fluxes(Path("fluxes.ecsv"), MIRI)) == 378
    assert main(["factors", "published", "--at", "grid.ecsv", "--out", "c.ecsv"]) == 0
    assert len(Table.read("c.ecsv")) == 2 * len(MIRI.bands)


def test_sample_rows_of_another_camera_are_simulated_and_say_so(
    capsys: pytest.CaptureFixture[str],
):
    assert main(["sample", "photometry", "--instrument", "wfc3"]) == 0
    out, err = capsys.readouterr()
    assert "SIMULATED rows" in out and "photometry.ecsv --instrument wfc3 fits it" in err
    assert silent(Path()) == []
    wfc3 = load_instrument("wfc3", "test")
    assert load_photometry("photometry.ecsv", wfc3, "test").simulated
