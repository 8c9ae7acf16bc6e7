"""Modules that commands load on a stored run: nothing that samples, and figures where drawn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from drawn import write_drawn
from mirical.cli import main

SAMPLING = {"jax", "numpyro", "arviz", "arviz_base", "arviz_stats", "xarray", "pandas"}
HEAVY = SAMPLING | {"asdf", "matplotlib", "scipy", "scipy.stats", "stdatamodels"}
"""Modules that are loaded by no command that asks a stored run, unless `LOADS` names them."""

CODE = (
    "import sys\n"
    "from mirical.cli import main\n"
    "status = main(sys.argv[2:])\n"
    "sys.stderr.write(f'STATUS {status} HEAVY {sorted(set(sys.argv[1].split()) & "
    "set(sys.modules))}')\n"
)
POINT = "--filter F770W --mjd 60000.5"
COMMANDS = {
    "factors": f"factors RUN {POINT}",
    "factors of a grid": "factors RUN --at grid.ecsv --covariance c.fits --draws d.npy --out c",
    "error": f"error RUN {POINT}",
    "error of a grid": "error RUN --at grid.ecsv --covariance e.fits --out e.ecsv",
    "apply": "apply RUN rates.ecsv --out fluxes.ecsv --draws 5",
    "latex": "export RUN --to latex tables.tex",
    "mrt": "export RUN --to mrt table8.mrt",
    "covariance": "export RUN --to covariance cov.fits",
    "jwst-photom": "export RUN --to jwst-photom photom.fits",
    "compare": "compare RUN --no-audit",
    "compare with figures": "compare RUN --no-audit --out compared",
}
LOADS = {"jwst-photom": {"asdf", "scipy", "stdatamodels"}, "compare with figures": {"matplotlib"}}
"""What a command cannot do without: a fit and the pipeline's file formats, and figures."""
ENDS = {"jwst-photom": 1}
"""Exit status where it is not 0: `mirical preflight` refuses a file that lacks bands."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a run, points to ask it about and rates to calibrate."""
    made = tmp_path_factory.mktemp("stored")
    write_drawn(made / "RUN")
    points = QTable({"filter": ["F770W", "F2550W"], "subarray": ["FULL", "SUB64"]})
    points["mjd"] = [59800.0, 60100.0] * u.d
    points.write(made / "grid.ecsv")
    points["iflux"] = [2e4, 3e4] * u.DN / u.s
    points["ifluxunc"] = np.array([20.0, 30.0]) * u.DN / u.s
    points.write(made / "rates.ecsv")
    return made


@pytest.mark.parametrize("command", COMMANDS)
def test_a_stored_run_is_asked_without_what_samples(command: str, folder: Path):
    asked = COMMANDS[command].split()
    done = subprocess.run(
        [sys.executable, "-c", CODE, " ".join(sorted(HEAVY)), *asked],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    said = f"STATUS {ENDS.get(command, 0)} HEAVY {sorted(LOADS.get(command, set()))}"
    assert done.stderr.splitlines()[-1].endswith(said), done.stderr


def test_compare_leaves_the_audit_out_when_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(folder)
    assert main(["compare", "RUN", "--no-audit"]) == 0
    without, said = capsys.readouterr()
    assert "no audit" not in said
    assert main(["compare", "RUN"]) == 0
    # The rows of the run are not those of its job, so there is no audit, and a note says so.
    asked, said = capsys.readouterr()
    assert asked == without and "note: no audit of the differences: " in said
