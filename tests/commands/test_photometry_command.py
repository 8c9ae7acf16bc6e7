"""The photometry command on a folder in which not every file is what it should be."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.table import QTable
from PIL import Image

import mirical
from miri_facts import MIRI
from mirical.cli import main
from mirical.errors import InputError
from mirical.imaging import photometry_rows
from mirical.imaging.aperture_photometry import measure
from mirical.imaging.image_files import distinct_names
from mirical.imaging.photometry_rows import Settings, look_at, row_of
from mirical.simulation.scene_images import Target, mosaic
from mirical.simulation.scene_psf import scene_psf
from mirical.simulation.scenes import Background, Scene
from mirical.tables.apertures import load_apertures, published_apertures
from mirical.tables.calibration_factors import calibration_factors
from mirical.tables.formats import texts
from mirical.tables.photometry import load_photometry
from simulated_outputs import silent

SCENE = Scene("F770W", "SUB128", 20000.0, Background(18.0), exposure_time=60.0, bad_fraction=1e-4)
TARGET = Target(factor=0.26)
AT = 66.3, 61.7


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three good files and seven that cannot be measured or fitted."""
    here = tmp_path_factory.mktemp("images")

    def write(name: str, scene: Scene = SCENE, target: Target = TARGET, at=AT) -> Path:
        path = here / f"{name}_i2d.fits"
        mosaic(scene, target, at).save(str(path))
        return path

    good = write("good")
    write("rate", replace(SCENE, seed=2), replace(TARGET, physical=False, mjd=59810.0))
    mask = replace(SCENE, band="F1140C", subarray="MASK1140")
    write("mask", mask, Target(factor=2.87, filter_keyword="F1130W"), (150.2, 100.1))
    write("edge", at=(2.3, 60.0))
    write("off", at=(-30.0, 60.0))
    write("stranger", target=replace(TARGET, name="My star"))
    cut = good.read_bytes()
    (here / "truncated_i2d.fits").write_bytes(cut[: len(cut) // 2 + 1])
    (here / "text.fits").write_text("this is no image\n")
    for name, change in {
        "nan": lambda model: setattr(model, "data", np.full(SCENE.size, np.nan, np.float32)),
        "nircam": lambda model: setattr(model.meta.instrument, "name", "NIRCAM"),
    }.items():
        model = mosaic(SCENE, TARGET, AT)
        change(model)
        model.save(str(here / f"{name}_i2d.fits"))
    return here


REASONS = {
    "edge_i2d.fits": ("unmeasured", "from the edge, nearer than its aperture's radius 4.22"),
    "nan_i2d.fits": ("unmeasured", "has no valid pixel"),
    "nircam_i2d.fits": ("unmeasured", "not a MIRI image but of NIRCAM"),
    "off_i2d.fits": ("unmeasured", "the star is off the image: expected at pixel (-30, 60)"),
    "stranger_i2d.fits": ("unknown_type", "no type is known of 'My star': give --star NAME=TYPE"),
    "text.fits": ("unmeasured", "not a whole FITS file (text or another format)"),
    "truncated_i2d.fits": ("unmeasured", "truncated"),
}


@pytest.mark.parametrize("workers", [1, 2])
def test_good_files_are_measured_and_the_others_explained(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: int
):
    out = tmp_path / "rows.ecsv"
    status = main(["photometry", str(folder), "--out", str(out), "--workers", str(workers)])
    printed = capsys.readouterr().out
    assert status == 1
    assert "SIMULATED DATA" in printed
    assert f"3 of 10 images measured; 10 rows in {out}" in printed
    table = QTable.read(out, format="ascii.ecsv")
    assert list(table["file"]) == sorted(path.name for path in folder.iterdir())
    rows = {str(row["file"]): row for row in table}
    for name, (flag, reason) in REASONS.items():
        assert rows[name]["flag"] == flag and reason in rows[name]["reason"]
        assert f"{name}: kept, but flagged {flag}: " in printed
    for name, band in (("good", "F770W"), ("rate", "F770W"), ("mask", "F1140C")):
        row = rows[f"{name}_i2d.fits"]
        truth = 20000 / published_apertures(MIRI)[band].correction
        assert not row["flag"] and row["filter"] == band
        assert abs(row["iflux"].value - truth) < 4 * row["ifluxunc"].value
    good = rows["good_i2d.fits"]
    assert (good["name"], good["PID"], good["srctype"]) == ("BD+60 1753", "1536", "ADwarfs")
    radii = tuple(good[name].to_value("pix") for name in ("r_a", "r_b1", "r_b2"))
    assert radii == published_apertures(MIRI)["F770W"].radii
    assert good["pixwelldepth"].value == pytest.approx(20 * good["pixrate"].value)
    assert good["ibkg"].value == pytest.approx(18 + 0.05 * 20000 / 423.3, rel=0.01)
    # 1e9 mJy/MJy x 2.8606e-13 sr x 0.26 x 1.4422
    assert good["flux"].value == pytest.approx(good["iflux"].value * 1.07265e-4, rel=1e-4)
    assert good["bkg"].value == pytest.approx(0.26 * good["ibkg"].value)


def test_a_star_below_its_background_is_flagged(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def faint(*arguments):
        return replace(measure(*arguments), iflux=-0.5)

    monkeypatch.setattr("mirical.imaging.photometry_rows.measure", faint)
    row = row_of(folder / "good_i2d.fits", Settings(published_apertures(MIRI)))
    assert row["flag"] == "unmeasured"
    assert row["reason"] == "the star is not brighter than its background (-0.5)"


def test_the_rows_are_ready_for_a_run(folder: Path, tmp_path: Path):
    out = tmp_path / "rows.ecsv"
    main(["photometry", str(folder), "--out", str(out), "--workers", "1"])
    observations = load_photometry(str(out), MIRI, "test")
    assert observations.simulated
    flags = [str(flag) for flag in observations.table["flag"]]
    assert len(flags) == 10 and flags.count("") == 3 and flags.count("unmeasured") == 6
    assert observations.table["reason"][-1].startswith("truncated_i2d.fits: ")


def test_good_files_alone_end_well_and_leave_pictures(folder: Path, tmp_path: Path):
    files = [str(folder / f"{name}_i2d.fits") for name in ("good", "stranger")]
    arguments = ["--star", "My star=ADwarfs", "--pictures", str(tmp_path / "pictures")]
    assert main(["photometry", *files, "--out", str(tmp_path / "r.ecsv"), *arguments]) == 0
    pictures = sorted((tmp_path / "pictures").iterdir())
    assert [path.name for path in pictures] == ["good_i2d.png", "stranger_i2d.png"]
    assert silent(tmp_path) == []
    with Image.open(pictures[0]) as picture:
        said = {key: json.loads(picture.text[key]) for key in ("file", "file_hash", "time")}
    row = QTable.read(tmp_path / "r.ecsv", format="ascii.ecsv")[0]
    expected = {"file": row["file"], "file_hash": row["file_hash"], "time": row["time"].value}
    assert said == expected


def test_apertures_of_ones_own_are_measured_in(folder: Path, tmp_path: Path):
    table = QTable({"filter": ["F770W"], "r_a": [6.0], "r_b1": [20.0], "r_b2": [25.0]})
    table.write(tmp_path / "own.ecsv", format="ascii.ecsv")
    out = tmp_path / "r.ecsv"
    arguments = ["--apertures", str(tmp_path / "own.ecsv"), "--out", str(out), "--workers", "1"]
    assert main(["photometry", str(folder / "good_i2d.fits"), *arguments]) == 0
    row = QTable.read(out, format="ascii.ecsv")[0]
    inside, inner, outer = scene_psf("F770W").encircled_energy(np.array([6.0, 20.0, 25.0]))
    expected = 20000 * (inside - (outer - inner) * 36 / (625 - 400))
    assert row["iflux"].value == pytest.approx(expected, abs=4 * row["ifluxunc"].value)
    assert expected > 1.03 * 20000 / 1.4422  # more than Table 4's aperture holds
    observations, predicted = (
        load_photometry(str(out), MIRI, "test"),
        {("BD+60 1753", "F770W"): 9.3},
    )
    own = load_apertures(str(tmp_path / "own.ecsv"), MIRI, "test")
    factors = calibration_factors(observations, predicted, own)
    assert factors.table["aperture_correction"][0] == own["F770W"].correction
    sentence = "r.ecsv: F770W was measured with r_a, r_b1, r_b2 = 6, 20, 25 pixels, but the corr"
    with pytest.raises(InputError, match=f"^{sentence}ection would be for 4.22, 8.92, 14.64; give"):
        calibration_factors(observations, predicted, published_apertures(MIRI))


def test_equal_names_and_copies_are_told_apart(folder: Path, tmp_path: Path):
    """A copy is the same observation under whatever name: one row is fitted, both are kept."""
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
    shutil.copy(folder / "good_i2d.fits", tmp_path / "one" / "a_i2d.fits")
    shutil.copy(folder / "mask_i2d.fits", tmp_path / "two" / "a_i2d.fits")
    shutil.copy(folder / "good_i2d.fits", tmp_path / "two" / "copy_i2d.fits")
    out, pictures = tmp_path / "r.ecsv", tmp_path / "pictures"
    places = [str(tmp_path / place) for place in ("one", "two")]
    status = main(["photometry", *places, "--out", str(out), "--pictures", str(pictures)])
    assert status == 1
    table = QTable.read(out, format="ascii.ecsv")
    names = ["one/a_i2d.fits", "two/a_i2d.fits", "copy_i2d.fits"]
    assert list(table["file"]) == names
    expected = ["copy_i2d.png", "one__a_i2d.png", "two__a_i2d.png"]
    assert sorted(path.name for path in pictures.iterdir()) == expected
    assert texts(table["flag"]) == ["", "", "duplicate"]
    assert table["reason"][2].startswith("the same observation as row 1: mid-times 0.0 s apart")
    assert table["reason"][2].endswith("(one/a_i2d.fits)")
    first, _, copy = table["file_hash"]
    assert first == copy == hashlib.sha256((folder / "good_i2d.fits").read_bytes()).hexdigest()[:16]
    assert table.meta["version"] == f"mirical {mirical.__version__}"
    assert table.meta["title"].startswith("SIMULATED") and table.meta["simulated"]
    assert all(table[name].info.description for name in table.colnames)


def test_names_take_as_many_folders_as_they_need(tmp_path: Path):
    paths = [tmp_path / name for name in ("a/x/1.fits", "b/x/1.fits", "b/y/1.fits", "c/2.fits")]
    assert distinct_names(paths) == ["a/x/1.fits", "b/x/1.fits", "y/1.fits", "2.fits"]


MISTAKES = {
    "photometry file.fits file.fits --out r.ecsv": "file.fits: is given twice; give each image",
    "photometry file.fits . --out r.ecsv": "file.fits: is given twice; give each image once.",
    f"photometry {300 * 'n'} --out r.ecsv": f"{300 * 'n'}: cannot be opened (File name too long)",
    "photometry file.fits --out r.ecsv --apertures no": "photometry: apertures 'no' do not exist;",
    "photometry no.fits --out r.ecsv": "no.fits: no such file; expected a JWST image or a folder",
    "photometry . --out r.ecsv": ".: no *.fits file in this folder.",
    "photometry file.fits --out no/r.ecsv": "no/r.ecsv: its folder does not exist; make it or",
    "photometry file.fits --out r.ecsv --filter F700W": "photometry: band 'F700W' is not a MIRI",
    "photometry file.fits --out r.ecsv --star Mine": "photometry: --star 'Mine'; expected NAME=",
    "photometry file.fits --out r.ecsv --star Mine=dwarf": (
        "photometry: --star 'Mine=dwarf': star type 'dwarf' is unknown"
    ),
    "photometry file.fits --out r.ecsv --workers 0": "--workers 0; expected at least 1.",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str
):
    monkeypatch.chdir(tmp_path)
    if "file.fits" in line:
        (tmp_path / "file.fits").write_text("nothing")
    before = sorted(tmp_path.iterdir())
    assert main(line.split()) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"mirical: {MISTAKES[line]}") and captured.out == ""
    assert sorted(tmp_path.iterdir()) == before


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return what a command that nothing interrupts leaves."""
    here = tmp_path_factory.mktemp("whole")
    assert main(line_of(folder, here)) == 1
    return content(here)


def line_of(images: Path, here: Path) -> list[str]:
    return ["photometry", str(images), "--out", f"{here}/r.ecsv", "--pictures", f"{here}/pictures"]


def test_an_interruption_keeps_what_is_measured(
    folder: Path,
    whole: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    measured = []

    def until_the_mask(path, settings, name):
        measured.append(path.name)
        if path.name.startswith("mask"):
            raise KeyboardInterrupt
        return look_at(path, settings, name)

    monkeypatch.setattr(photometry_rows, "look_at", until_the_mask)
    line = [*line_of(folder, tmp_path), "--workers", "1"]
    assert main(line) == 130
    place = tmp_path / "r.ecsv.unfinished"
    said = f"mirical: interrupted; 2 of 10 results are kept in {place}; the same command goes on.\n"
    assert capsys.readouterr().err.endswith(said)
    assert list(tmp_path.iterdir()) == [place]
    monkeypatch.setattr(photometry_rows, "look_at", look_at)
    assert main([*line, "--shard", "2/2"]) == 0
    assert "share 2/2 is done; 7 of 10 results are in" in capsys.readouterr().out
    assert main(line) == 1 and content(tmp_path) == whole
    assert measured == ["edge_i2d.fits", "good_i2d.fits", "mask_i2d.fits"]


def test_a_killed_command_goes_on_where_it_was_and_measures_a_changed_image_anew(
    folder: Path, whole: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    images, here = tmp_path / "images", tmp_path / "here"
    shutil.copytree(folder, images)
    changed = images / "good_i2d.fits"
    shutil.copy(images / "rate_i2d.fits", changed)
    here.mkdir()
    code = "import sys; from mirical.cli import main; sys.exit(main())"
    line = line_of(images, here)
    killed = subprocess.Popen([sys.executable, "-c", code, *line, "--workers", "1"])
    place = here / "r.ecsv.unfinished"
    while len(list(place.glob("*.npz"))) < 2 and killed.poll() is None:
        time.sleep(0.02)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL and not (here / "r.ecsv").exists()
    shutil.copy(folder / "good_i2d.fits", changed)
    assert main(line) == 1
    assert "note: 1 results of other inputs are not used" in capsys.readouterr().err
    assert content(here) == whole
