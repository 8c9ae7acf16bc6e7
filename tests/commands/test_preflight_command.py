"""``mirical preflight``: what it prints, and with what status it ends."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from astropy.io import fits

from miri_facts import MIRI
from mirical.calibration.published import PublishedCalibration
from mirical.cli import main
from mirical.exports.photom_file import write_photom
from mirical.exports.pipeline_export import about, mean_rows


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published calibration as `mirical export` writes it."""
    path = tmp_path_factory.mktemp("exported") / "good.fits"
    calibration = PublishedCalibration(MIRI)
    made = mean_rows(calibration)
    write_photom(made.rows, about(calibration, made), path)
    return path


@pytest.fixture
def good(exported: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(exported, tmp_path))


def changed(path: Path, times: float, band: str, uncertainty: float = 1.0) -> Path:
    """Write the file again beside it, some rows' numbers multiplied."""
    out = path.parent / "changed.fits"
    with fits.open(path, memmap=False) as extensions:
        table = extensions["PHOTOM"].data
        rows = table["filter"] == band
        table["photmjsr"][rows] *= times
        table["uncertainty"][rows] *= uncertainty
        extensions.writeto(out, overwrite=True, checksum=True)
    return out


def test_a_good_file_ends_with_status_zero(good: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["preflight", str(good)]) == 0
    printed = capsys.readouterr()
    assert printed.out == (
        f"{good}: no errors, no warnings: nothing is wrong with it that can be seen from the "
        "file.\n"
    )
    assert printed.err == ""


def test_an_error_ends_with_status_one_and_says_where_and_why(
    good: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["preflight", str(changed(good, -1.0, "F560W"))]) == 1
    out = capsys.readouterr().out
    assert out.startswith("error  bad-factor  PHOTOM ")
    assert "rows of F560W, from row 1 (F560W in FULL) on\n    photmjsr is not a positive" in out
    assert out.endswith("changed.fits: 1 error, no warnings: this file must not be used.\n")


def test_warnings_alone_end_with_status_zero(good: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["preflight", str(changed(good, 1.0, "F560W", uncertainty=0.0))]) == 0
    out = capsys.readouterr().out
    assert out.startswith("warning  bad-uncertainty  PHOTOM ")
    assert out.endswith("no errors, 1 warning: the warnings are for you to judge.\n")


def test_another_file_is_compared_with(good: Path, capsys: pytest.CaptureFixture[str]):
    path = changed(good, 1.06, "F560W")
    assert main(["preflight", str(path)]) == 0
    assert main(["preflight", str(path), "--against", str(good)]) == 1
    assert "+6.0 % at most" in capsys.readouterr().out


def test_the_span_is_what_from_and_to_say(good: Path, capsys: pytest.CaptureFixture[str]):
    with fits.open(good, mode="update") as extensions:
        extensions[0].header.add_history("fitted to rows from MJD 59750.0 to 60600.0")
    assert main(["preflight", str(good), "--from", "59751", "--to", "60500"]) == 0
    assert "no warnings" in capsys.readouterr().out
    assert main(["preflight", str(good), "--from", "59751"]) == 0
    assert "MJD 59751 to 62000 are extrapolated" in capsys.readouterr().out
    assert main(["preflight", str(good), "--to", "60500"]) == 0
    assert "MJD 59720 to 60500 are extrapolated" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.fits"], "none.fits: no such file"),
        (["text.fits"], "text.fits: cannot be read as FITS"),
        (["good.fits", "--against", "text.fits"], "text.fits: cannot be read as FITS"),
        (["good.fits", "--from", "61000", "--to", "60000"], "expected an earlier and a later"),
    ],
)
def test_a_mistake_ends_with_status_two_and_one_sentence(
    good: Path,
    arguments: list[str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(good.parent)
    Path("text.fits").write_text("hello")
    assert main(["preflight", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and sentence in printed.err and printed.err.count("\n") == 1
