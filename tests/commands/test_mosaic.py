"""``mirical mosaic``: level-2 files in, one mosaic out, or one sentence."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from stdatamodels.jwst import datamodels

from dithered import dithers, scene
from mirical.cli import main
from mirical.console import progress


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four level-2 files of one star, one of another filter, and a broken one."""
    folder = tmp_path_factory.mktemp("exposures")
    for i, model in enumerate(dithers(scene(rate=1e5))):
        model.save(folder / f"{i}_cal.fits")
    model.meta.instrument.filter = "F770W"
    model.save(folder / "other_cal.fits")
    (folder / "broken_cal.fits").write_text("hello")
    return folder


def files(folder: Path) -> list[str]:
    return [str(folder / f"{i}_cal.fits") for i in range(4)]


def test_four_files_make_one_mosaic_in_silence(folder: Path, tmp_path: Path):
    out = tmp_path / "star_i2d.fits"
    code = "import sys; from mirical.cli import main; sys.exit(main())"
    command = [sys.executable, "-W", "always", "-c", code, "mosaic", *files(folder)]
    command += ["--out", str(out), "--background", "custom"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # A slow machine may be told what is going on; no warning is passed on.
    assert all(line.endswith(" s so far") for line in done.stderr.splitlines())
    with datamodels.ImageModel(out) as made:
        rows, columns = made.data.shape
        assert made.meta.background.subtracted is True
        assert made.meta.program.title.startswith("SIMULATED")
    assert done.stdout == (
        f"{out}: {columns} x {rows} pixels from 4 exposures, background subtracted\n"
    )
    assert list(tmp_path.iterdir()) == [out]


def test_a_pipe_is_told_what_is_done(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(progress, "EVERY", 0.01)
    out = ["--out", str(tmp_path / "star_i2d.fits"), "--background", "custom"]
    assert main(["mosaic", *files(folder)[:2], *out]) == 0
    lines = capsys.readouterr().err.splitlines()
    told = list(dict.fromkeys(re.sub(r", \d+ s so far$", "", line) for line in lines))
    works = ["reading", "subtracting the background of", "resampling"]
    assert told == [f"{work} 2 exposures" for work in works]


def test_a_mask_radius_is_used_and_no_background_is_the_default(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    peaks = []
    for options in ([], ["--background", "custom", "--mask-radius", "0.5"]):
        out = tmp_path / f"{len(options)}_i2d.fits"
        assert main(["mosaic", *files(folder)[:2], "--out", str(out), *options]) == 0
        with datamodels.ImageModel(out) as made:
            peaks.append((made.data[70, 70], made.meta.background.subtracted))
    assert peaks[0][0] > 30 and not peaks[0][1]
    assert abs(peaks[1][0]) < 5 and peaks[1][1]
    assert "2 exposures, background left in" in capsys.readouterr().out


MISTAKES = {
    "broken_cal.fits --out x_i2d.fits": "broken_cal.fits: not a JWST image (",
    "0_cal.fits other_cal.fits --out x_i2d.fits": "other_cal.fits: filter is 'F770W' but",
    "none_cal.fits --out x_i2d.fits": "none_cal.fits: does not exist; expected a level-2 file",
    "0_cal.fits --out x_i2d": "x_i2d: not a name of a FITS file; expected FILE_i2d.fits.",
    "0_cal.fits --out x_i2d.fits --background custom": "0_cal.fits: the only exposure, but a",
    "0_cal.fits 1_cal.fits --out x.fits --mask-radius 3": (
        "mosaic: --mask-radius 3; expected a positive number of FWHM, with --background custom."
    ),
    "0_cal.fits 1_cal.fits --out x.fits --background custom --mask-radius -1": (
        "mosaic: --mask-radius -1; expected a positive number of FWHM, with --background custom."
    ),
    "0_cal.fits 1_cal.fits --out x.fits --background custom --mask-radius 10": (
        "0_cal.fits: 477 pixels are under the star's mask in all 2 exposures, whose dithers are"
    ),
}


@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistake_is_one_sentence_status_2_and_nothing_written(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    assert main(["mosaic", *command.split()]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith(f"mirical: {MISTAKES[command]}")
    assert sorted(folder.iterdir()) == before


def test_help_lists_the_papers_settings(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["mosaic", "--help"])
    text = capsys.readouterr().out
    assert "calwebb_detector1: emicorr.skip = True" in text and "CRDS" in text
