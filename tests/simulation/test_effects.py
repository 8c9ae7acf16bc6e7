"""Sizes of errors and faults, as the command line states them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from mirical.cli import main
from mirical.errors import InputError
from mirical.simulation.effects import stated_effects
from mirical.simulation.errors_and_faults import Errors, Faults


def test_what_is_not_stated_is_as_usual():
    assert stated_effects([]) == (Errors(), Faults())
    errors, faults = stated_effects(["type_band=0.01", "step=-0.02", "debris_disk=0"])
    assert errors == replace(Errors(), type_band=0.01)
    assert faults == replace(Faults(), step=-0.02, debris_disk=0.0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["stepp=0.02"], "effect 'stepp' is unknown; did you mean 'step'"),
        (["step"], "step=; expected a finite number, such as step=0.02"),
        (["step=nan"], "step=nan; expected a finite number"),
        (["visit=-0.1"], "visit=-0.1; expected zero or more"),
        (["off_visit=1"], "off_visit=1; expected a fraction below one"),
        (["step=0.02", "step=0.03"], "effect step is stated twice"),
    ],
)
def test_what_no_program_can_have_is_refused(given: list[str], said: str):
    with pytest.raises(InputError, match=said):
        stated_effects(given)


def test_the_command_writes_what_was_stated_as_truth(tmp_path: Path):
    """A step of 2 % makes the rows after its date so much fainter, and no other row another."""
    folders = [tmp_path / "plain", tmp_path / "stepped"]
    command = ["simulate", "--seed", "2", "--out"]
    assert main([*command, str(folders[0])]) == 0
    effects = ["--effects", "step=0.02", "step_mjd=60200", "flux_scale=0.006"]
    assert main([*command, str(folders[1]), *effects]) == 0
    truth = Table.read(folders[1] / "truth.ecsv", format="ascii.ecsv")
    of = {name: truth["value"][truth["quantity"] == name] for name in ("step", "flux_scale")}
    assert np.all(of["step"] == 0.02) and len(of["step"]) and of["flux_scale"][0] != 0
    plain, stepped = (Table.read(f / "photometry.ecsv", format="ascii.ecsv") for f in folders)
    shift = -np.log(np.asarray(stepped["iflux"]) / np.asarray(plain["iflux"]))
    after = 0.02 * (np.asarray(plain["time"]) >= 60200)
    np.testing.assert_allclose(shift, of["flux_scale"][0] + after, atol=1e-6)


def test_images_have_the_usual_effects_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    command = ["simulate", "--seed", "2", "--out", str(tmp_path / "out"), "--mosaics", "F770W"]
    assert main([*command, "--effects", "step=0.02"]) == 2
    assert "--effects and --mosaics" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
