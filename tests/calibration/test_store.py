"""A run's folder opened: whole and of one run, or one sentence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from drawn import drawn_calibration, drawn_tree, write_drawn
from miri_facts import MIRI
from mirical.calibration.calibration import UNBELIEVABLE
from mirical.calibration.draws import APERTURE_ERROR
from mirical.calibration.factors import Query
from mirical.calibration.manifest import EARLIER, MANIFEST, write_manifest
from mirical.calibration.posterior import PosteriorCalibration
from mirical.calibration.store import open_calibration, read_run, run_folder
from mirical.cli import main
from mirical.errors import InputError
from mirical.inference.posterior import write_posterior
from mirical.laws.timelaw import LAWS

QUERY = Query.of(MIRI, ["F770W", "F2550W"], "FULL", 60000.0)
ANSWER = drawn_calibration().at(QUERY)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run's folder with one table."""
    folder = tmp_path / "drawn"
    write_drawn(folder)
    (folder / "coefficients.ecsv").write_text("A\n1\n")
    write_manifest(folder, drawn_calibration().provenance)
    return folder


def test_a_whole_folder_gives_the_calibration_that_was_written(run: Path):
    found = open_calibration(str(run))
    assert isinstance(found, PosteriorCalibration)
    assert found.name == "drawn" and found.believable and found.doubts == ()
    np.testing.assert_array_equal(found.at(QUERY).mean, ANSWER.mean)
    manifest = json.loads((run / MANIFEST).read_text())
    assert manifest["version"] == 2 and manifest["simulated"] == 1 and manifest["card"] == "made"
    files = {"posterior.nc", "diagnostics.json", "job.toml", "coefficients.ecsv"}
    assert set(manifest["sha256"]) == files


def test_a_folder_here_comes_before_one_under_reports_and_gives_its_name(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(run, tmp_path / "reports" / "drawn")
    monkeypatch.chdir(tmp_path)
    assert run_folder("drawn") == Path("drawn")
    monkeypatch.chdir(run)
    assert open_calibration(".").name == "drawn"
    shutil.rmtree(run)
    monkeypatch.chdir(tmp_path)
    assert run_folder("drawn") == Path("reports/drawn")


def test_opening_a_run_loads_no_sampler(run: Path):
    code = (
        "import sys\n"
        "from mirical.calibration.store import open_calibration\n"
        f"open_calibration({str(run)!r})\n"
        "print({'numpyro', 'arviz_base', 'matplotlib'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("name", ["posterior.nc", "diagnostics.json", "job.toml"])
def test_files_of_two_runs_are_not_opened(name: str, run: Path, tmp_path: Path):
    other = tmp_path / "other"
    write_drawn(other, "power", believable=False)
    (other / "job.toml").write_text('photometry = "other.ecsv"\n')
    shutil.copy(other / name, run / name)
    sentence = f"drawn: {name} changed since the run wrote this folder .* run the job again"
    with pytest.raises(InputError, match=sentence):
        read_run(run)


def test_a_table_that_was_edited_is_told(run: Path):
    (run / "coefficients.ecsv").write_text("A\n2\n")
    told = ("not as the run wrote them: coefficients.ecsv; answers do not use them.",)
    assert read_run(run).doubts == told
    (run / "coefficients.ecsv").unlink()  # reports shipped without a table
    assert read_run(run).doubts == ()


def test_an_earlier_folder_is_refused(run: Path):
    (run / MANIFEST).unlink()
    with pytest.raises(InputError, match=f"drawn: {EARLIER}$"):
        open_calibration(str(run))


@pytest.mark.parametrize(
    ("manifest", "sentence"),
    [
        ("{", f"{MANIFEST}: cannot be read as JSON; run the job again"),
        ("[" * 100_000, f"{MANIFEST}: cannot be read as JSON; run the job again"),
        ("[1]", f"{MANIFEST}: holds no object of JSON"),
        ('{"version": 2}', f"{MANIFEST}: is no manifest of a run"),
        ('{"version": true, "sha256": {}}', f"{MANIFEST}: is no manifest of a run"),
        ('{"version": 3, "mirical": "9.0"}', r"by a newer mirical \(9.0; its folder has version 3"),
    ],
)
def test_a_manifest_that_is_none_is_refused(manifest: str, sentence: str, run: Path):
    (run / MANIFEST).write_text(manifest)
    with pytest.raises(InputError, match=sentence):
        read_run(run)


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (None, "diagnostics.json is missing"),
        ("{", "diagnostics.json is damaged"),
        (b"\xff", "diagnostics.json is damaged"),
        ("{}", "diagnostics.json has no verdict"),
        ('{"believable": "true"}', "diagnostics.json has no verdict"),
        ('{"believable": 1}', "diagnostics.json has no verdict"),
    ],
)
def test_only_diagnostics_make_a_run_believable(
    verdict: str | bytes | None, reason: str, run: Path
):
    path = run / "diagnostics.json"
    path.unlink()
    if verdict is not None:
        path.write_bytes(verdict if isinstance(verdict, bytes) else verdict.encode())
        write_manifest(run, {})
    found = open_calibration(str(run))
    assert not found.believable
    assert (
        f"this run must not be believed: nothing says that its chains agree ({reason})"
        in (found.cautions(QUERY)[0])
    )


def test_a_verdict_on_other_draws_is_of_another_run(run: Path):
    (run / "diagnostics.json").write_text('{"believable": true, "chains": 2, "draws": 1000}')
    write_manifest(run, {})
    sentence = "diagnostics.json: is about 1000 draws, and posterior.nc has 200: files of two runs"
    with pytest.raises(InputError, match=sentence):
        read_run(run)


def test_a_run_judged_badly_says_so_first(tmp_path: Path):
    write_drawn(tmp_path / "bad", believable=False)
    found = open_calibration(str(tmp_path / "bad"))
    assert not found.believable and found.cautions(QUERY)[0] == UNBELIEVABLE


def _one_draw(tree: xr.DataTree) -> None:
    tree["posterior"] = xr.DataTree(tree["posterior"].to_dataset().isel(draw=[0]))


def _entry(name: str, value: float, group: str = "posterior") -> Callable[[xr.DataTree], None]:
    def change(tree: xr.DataTree) -> None:
        values = tree[group].to_dataset()[name].values.copy()
        values.flat[1] = value
        replaced = tree[group].to_dataset().assign({name: (tree[group][name].dims, values)})
        tree[group] = xr.DataTree(replaced)

    return change


def _without(name: str, group: str = "posterior") -> Callable[[xr.DataTree], None]:
    def change(tree: xr.DataTree) -> None:
        tree[group] = xr.DataTree(tree[group].to_dataset().drop_vars(name))

    return change


def _turned(name: str, *dims: str) -> Callable[[xr.DataTree], None]:
    def change(tree: xr.DataTree) -> None:
        drawn = tree["posterior"].to_dataset()
        tree["posterior"] = xr.DataTree(drawn.assign({name: drawn[name].transpose(*dims)}))

    return change


def _named(coordinate: str, *names: str) -> Callable[[xr.DataTree], None]:
    def change(tree: xr.DataTree) -> None:
        drawn = tree["posterior"].to_dataset()
        tree["posterior"] = xr.DataTree(drawn.assign_coords({coordinate: list(names)}))

    return change


IMPOSSIBLE: dict[str, Callable[[xr.DataTree], object]] = {
    "has no group 'constant_data'": lambda tree: tree.__delitem__("constant_data"),
    "has no group 'posterior'": lambda tree: tree.__delitem__("posterior"),
    "its time law is 'quadratic'; expected one of additive": lambda tree: tree.attrs.update(
        time_law="quadratic"
    ),
    "its posterior has no variable 'A'": _without("A"),
    "its posterior has no variable 'loss'": _without("loss"),
    "its posterior has no coordinate 'band'": _without("band"),
    "its posterior has 2 chains of 1 draws; expected at least 4 draws each": _one_draw,
    "'A' of its posterior has draws that are no numbers": _entry("A", np.nan),
    "'D_band' of its posterior has draws that are no numbers": _entry("D_band", np.inf),
    "draws of 'A' that are not positive": _entry("A", -0.3),
    "draws of 'tau' that are not positive": _entry("tau", 0.0),
    "draws of 'D' that are not positive": _entry("D", -1.0),
    "draws of 'visit_scale' that are negative": _entry("visit_scale", -1.0),
    r"'D_band' of its posterior has dims .*; expected \(chain, draw, band, subarray\)": _turned(
        "D_band", "chain", "draw", "subarray", "band"
    ),
    r"'A' of its posterior has dims .*; expected \(chain, draw, band\)": _turned(
        "A", "draw", "chain", "band"
    ),
    "its bands are F560W, F560W, FND, F1065C, F2550W; expected": _named(
        "band", "F560W", "F560W", "FND", "F1065C", "F2550W"
    ),
    "its subarrays are FULL, A, B, C, D; expected": _named("subarray", *"FULL A B C D".split()),
    "constant_data has no variable 'elapsed' of each row": _without("elapsed", "constant_data"),
    "'elapsed' of its constant_data has entries that are no numbers": _entry(
        "elapsed", np.nan, "constant_data"
    ),
    "'band_index' of its constant_data points beyond the 5 bands": _entry(
        "band_index", 5, "constant_data"
    ),
    "'star_index' of its constant_data has entries that are no index": _entry(
        "star_index", -1, "constant_data"
    ),
    f"'{APERTURE_ERROR}' of its constant_data is no relative error a band": _entry(
        APERTURE_ERROR, -0.01, "constant_data"
    ),
}


@pytest.mark.parametrize("sentence", IMPOSSIBLE)
def test_what_cannot_be_a_posterior_is_refused(sentence: str, run: Path):
    tree = drawn_tree()
    IMPOSSIBLE[sentence](tree)
    (run / "diagnostics.json").write_text('{"believable": true}')
    write_posterior(tree, run / "posterior.nc")
    write_manifest(run, {})
    with pytest.raises(InputError, match=rf"posterior\.nc: .*{sentence}.*; run the job again\.$"):
        read_run(run)


def test_random_damage_is_one_sentence(run: Path):
    random = np.random.default_rng(7)
    for _ in range(40):
        name = random.choice(["posterior.nc", "diagnostics.json", "job.toml"])
        path = run / str(name)
        whole = path.read_bytes()
        damaged = bytearray(whole)
        for at in random.integers(min(len(whole), 3000), size=3):
            damaged[at] ^= int(random.integers(1, 256))
        cut = random.random() < 0.3
        path.write_bytes(bytes(damaged[: random.integers(len(whole))] if cut else damaged))
        with pytest.raises(InputError) as refused:
            open_calibration(str(run))
        assert "\n" not in str(refused.value)
        path.write_bytes(whole)


def test_a_damaged_run_ends_in_one_sentence(run: Path, capsys: pytest.CaptureFixture[str]):
    (run / "posterior.nc").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    write_manifest(run, {})
    assert main(["factors", str(run), "--filter", "F770W", "--mjd", "60000"]) == 2
    said = capsys.readouterr().err
    assert "posterior.nc: cannot be read as a posterior (" in said and "Traceback" not in said


@pytest.mark.parametrize("law", LAWS)
def test_what_a_factor_rests_on_is_told_of_a_stored_run_of_every_law(tmp_path: Path, law: str):
    tree = drawn_tree(law)
    rows = tree["constant_data"].to_dataset()
    if law == "linear":  # no loss settles
        drawn, settling = (of["posterior"].to_dataset() for of in (tree, drawn_tree()))
        endless = {"loss": 0 * settling["loss"], "tau": settling["tau"] * np.inf}
        tree["posterior"] = type(tree)(drawn.assign(endless))
    tree["prior"] = tree["posterior"].copy()
    tree["constant_data"] = type(tree)(
        rows.assign(visit_index=("row", np.arange(rows.sizes["row"])))
    )
    write_drawn(tmp_path / "run", tree=tree)
    of_tree = PosteriorCalibration.of(tree, MIRI).basis(QUERY)
    assert open_calibration(str(tmp_path / "run")).basis(QUERY) == of_tree
