"""A fast run of the real rows: the folder of a run, the same posterior as that of chains."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from arviz_stats.base.array import array_stats

from mirical.calibration.store import read_run
from mirical.cli import main

COMPARED = "C_ref", "loss", "D", "star_offset", "repeatability"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = {name: tmp_path_factory.mktemp("runs") / name for name in ("fast", "chains")}
    assert main(["run", "table5", "--fast", "--out", str(out["fast"])]) in (0, 1)
    few = ["--chains", "2", "--draws", "800"]
    assert main(["run", "table5", *few, "--out", str(out["chains"])]) in (0, 1)
    return out


def test_means_and_errors_are_those_of_chains(folders: dict[str, Path]):
    """Some 40 quantities, limits of 4.5 Monte-Carlo errors: one of 3000 pairs of runs fails.

    Beside them a tenth of an error is allowed for, which a fast run may be off.
    """
    fast, chains = (
        read_run(folders[name]).posterior["posterior"].to_dataset() for name in ("fast", "chains")
    )
    for name in COMPARED:
        pair = []
        for run in (fast, chains):
            values = np.log(run[name].values) if name == "repeatability" else run[name].values
            values = values.reshape(*values.shape[:2], -1)
            pair.append(values[..., np.ptp(values, axis=(0, 1)) > 0])
        means = [values.mean((0, 1)) for values in pair]
        # The printed error: where a band has one row, a few draws far out make the deviation.
        ends = [np.quantile(values, [0.1587, 0.8413], axis=(0, 1)) for values in pair]
        widths = [(high - low) / 2 for low, high in ends]
        counts = [np.array([array_stats.ess(v[..., i]) for i in range(v.shape[-1])]) for v in pair]
        noise = np.sqrt(1 / counts[0] + 1 / counts[1])
        off = np.abs(means[0] - means[1]) / widths[1]
        assert np.all(off < 0.1 + 4.5 * noise), (name, off)
        ratio = np.abs(np.log(widths[0] / widths[1]))
        assert np.all(ratio < 0.1 + 4.5 * noise), (name, ratio)


def test_the_folder_says_how_its_draws_were_made(
    folders: dict[str, Path], capsys: pytest.CaptureFixture[str]
):
    said = json.loads((folders["fast"] / "diagnostics.json").read_text())
    assert said["method"] == "fast" and said["pareto_k"] < said["pareto_k_limit"]
    manifest = json.loads((folders["fast"] / "manifest.json").read_text())
    assert manifest["method"] == "fast" and manifest["pareto_k"] == said["pareto_k"]
    report = (folders["fast"] / "report.html").read_text(encoding="utf-8")
    assert "Pareto k" in report and "a skewed normal was fitted at the mode" in report
    asked = ["--filter", "F770W", "--subarray", "FULL", "--mjd", "59760"]
    assert main(["factors", str(folders["fast"]), *asked]) in (0, 1)
    assert "F770W" in capsys.readouterr().out
