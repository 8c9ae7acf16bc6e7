"""Points that commands are asked about by a table: times in every unambiguous form."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.table import Table
from astropy.time import Time

from miri_facts import MIRI
from mirical.calibration.published import PublishedCalibration
from mirical.cli import main

MJD = 60000.25


def asked(folder: Path, mjd: object) -> Table:
    """Return what `mirical factors` answers to one point of a table."""
    grid = Table({"filter": ["F770W"], "subarray": ["FULL"]})
    grid["mjd"] = mjd() if callable(mjd) else mjd
    grid.write(folder / "grid.ecsv")
    out = folder / "out.ecsv"
    arguments = ["factors", "published", "--at", str(folder / "grid.ecsv"), "--out", str(out)]
    assert main(arguments) == 0
    return Table.read(out)


@pytest.mark.parametrize(
    "mjd",
    [[MJD], lambda: Time([MJD], format="mjd"), [Time(MJD, format="mjd").isot], [MJD + 2400000.5]],
    ids=["MJD", "Time", "text", "JD"],
)
def test_a_point_s_time_may_be_in_any_unambiguous_form(
    mjd: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    answer = asked(tmp_path, mjd)
    (wanted,) = PublishedCalibration(MIRI).factor(["F770W"], ["FULL"], [MJD]).mean
    assert answer["c_mean"][0] == pytest.approx(wanted, rel=1e-12)
    written = answer["mjd"]  # the number that its name says, or the Time that says so itself
    assert (written.mjd if isinstance(written, Time) else written)[0] == pytest.approx(MJD)
    said = "note: grid.ecsv: column 'mjd' holds Julian dates; 2400000.5 is subtracted."
    assert (said in capsys.readouterr().err) == (mjd == [MJD + 2400000.5])
