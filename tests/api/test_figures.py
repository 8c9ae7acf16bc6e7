"""Single figures: drawn of a run by name, written as vectors, labelled where simulated."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import xarray as xr
from astropy.table import QTable
from matplotlib.figure import Figure

import mirical as ml
from mirical.cli import main
from mirical.figures import chain_figures
from mirical.figures.arviz_figures import draw_arviz_figure
from mirical.figures.figure_files import write_figure
from mirical.figures.kinds import ARVIZ_FIGURES, KINDS
from mirical.figures.quantities import WORST, effective_draws, labelled_draws
from mirical.figures.report_figures import REPORT_FIGURES
from mirical.validation.replicates import Replicate
from simulated_outputs import silent

QUANTITIES = {"pair": ["A", "repeatability_median"], "forest": ["A"], "rank": ["A"], "trace": ["A"]}


MIRI = ml.published().instrument


def write_ranks(folder: Path, number: int = 30) -> None:
    """Write ranks of two quantities, the second always the least."""
    lines: list[dict] = [{"simulated": True}]
    for k in range(number):
        ranks = {"A[F770W]": ((7 * k) % 100, 99), "tau": (0, 99)}
        lines.append(Replicate(k, "", 400, 0, 1.0, 400.0, ranks).as_dict())
    text = "\n".join(map(json.dumps, lines))
    (folder / "ranks.jsonl").write_text(text, encoding="utf-8")


def write_loo(folder: Path, run: ml.Run, **meta: object) -> None:
    """Write leave-one-out shares as the table of a check."""
    table = QTable({"filter": ["F1130W", "F770W", "F1130W"], "pit": [0.2, 0.5, 0.9]})
    known = {name: run.provenance[name] for name in ("photometry_sha256", "seed")}
    table.meta |= {name: str(v) if isinstance(v, str) else int(v) for name, v in known.items()}  # type: ignore[call-overload]
    table.meta |= meta
    (folder / "check").mkdir(exist_ok=True)
    table.write(folder / "check" / "loo.ecsv", format="ascii.ecsv", overwrite=True)


@pytest.mark.parametrize("kind", ARVIZ_FIGURES)
def test_plots_of_arviz_are_drawn_and_say_that_they_are_simulated(fitted: ml.Run, kind: str):
    wanted = QUANTITIES.get(kind)
    assert fitted.figure(kind, quantities=wanted)._suptitle is None
    made = fitted.posterior.copy()
    made.attrs["simulated"] = 1
    figure = draw_arviz_figure(kind, made, fitted.instrument, None, wanted)
    assert figure._suptitle.get_text() == "simulated data"


def test_ranks_have_a_line_a_chain_and_panels_of_the_quantities_asked_for(fitted: ml.Run):
    figure = fitted.figure("rank", quantities=["A[F770W]", "repeatability_median"])
    assert [axes.get_title() for axes in figure.axes] == ["A[F770W]", "repeatability_median"]
    assert [len(axes.lines) for axes in figure.axes] == [3, 3]  # two chains, and zero


def test_draws_are_those_of_the_quantity_on_the_axis_that_names_it(fitted: ml.Run):
    of_band = fitted.posterior["posterior"]["A"].sel(band="F770W").to_numpy()
    (axes,) = fitted.figure("trace", quantities=["A[F770W]"]).axes
    assert axes.get_title().replace("\N{DIVISION SLASH}", "/") == f"A[F770W] ({MIRI.factor_text})"
    for line, chain in zip(axes.lines, of_band, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), chain)
    figure = fitted.figure("pair", quantities=["A[F770W]", "A[F1130W]"])
    panel = next(axes for axes in figure.axes if axes.collections)
    named = panel.get_xlabel().split("\n")[1], panel.get_ylabel().split("\n")[1]
    expected = fitted.posterior["posterior"]["A"].sel(band=list(named)).to_numpy().reshape(-1, 2)
    drawn = np.concatenate([np.asarray(one.get_offsets()) for one in panel.collections])
    np.testing.assert_array_equal(np.sort(drawn, axis=0), np.sort(expected, axis=0))


def test_correlated_draws_are_thinned_and_independent_ones_kept():
    noise = np.random.default_rng(5).normal(size=(2, 400))
    walk = scipy.signal.lfilter([1.0], [1.0, -0.95], noise, axis=1)
    for draws, low, high in ((noise, 300, 400), (walk, 10, 60)):
        made = xr.Dataset({"x": (("chain", "draw"), draws)})
        assert low <= chain_figures._about_independent(made).sizes["draw"] <= high


def test_energies_are_judged_by_steps(fitted: ml.Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chain_figures, "_of_steps", lambda energies: energies[:, ::2])
    halved = fitted.posterior["sample_stats"]["energy"].to_numpy()[:, ::2]
    points = fitted.figure("energy").axes[0].collections[0].get_offsets()
    bfmi = np.mean(np.diff(halved, axis=1) ** 2, axis=1) / np.var(halved, axis=1, ddof=1)
    np.testing.assert_allclose(np.asarray(points)[:, 0], bfmi, rtol=0.1)


def test_without_a_name_the_worst_quantities_are_drawn(fitted: ml.Run):
    titles = [axes.get_title() for axes in fitted.figure("rank").axes]
    drawn = labelled_draws(fitted.posterior, None)
    worth = dict(zip(map(str, drawn.data_vars), effective_draws(drawn), strict=True))
    assert [worth[title] for title in titles] == sorted(worth.values())[:WORST]


def test_draws_of_one_step_have_one_energy():
    energies = np.array([[1.0, 1.0, 2.0, 2.0, 3.0], [5.0, 4.0, 4.0, 3.0, 2.0]])
    expected = [[1.0, 2.0, 3.0], [5.0, 4.0, 3.0]]
    np.testing.assert_array_equal(chain_figures._of_steps(energies), expected)


def test_the_distribution_of_rows_is_that_of_the_bands_asked_for(fitted: ml.Run):
    def drawn(bands: list[str] | None) -> int:
        line = fitted.figure("ppc", bands).axes[0].lines[-1]
        return len(np.unique(np.asarray(line.get_ydata()).round(9)))

    assert drawn(None) > drawn(["F770W"])


def test_shares_of_a_check_are_drawn_and_those_of_another_run_refused(stored: ml.Run, folder: Path):
    with pytest.raises(ml.InputError, match="run 'mirical check tiny' first"):
        stored.figure("loo_pit")
    write_loo(folder, stored)
    assert isinstance(stored.figure("loo_pit", "F1130W"), Figure)
    with pytest.raises(ml.InputError, match="the check has no rows in band 'F560W'"):
        stored.figure("loo_pit", ["F560W"])
    write_loo(folder, stored, photometry_sha256="other")
    with pytest.raises(ml.InputError, match="is of another run than that of"):
        stored.figure("loo_pit")


def test_the_least_uniform_ranks_come_first(tmp_path: Path):
    from mirical.figures.rank_figures import draw_ranks

    write_ranks(tmp_path)
    assert [axes.get_title() for axes in draw_ranks(tmp_path).axes] == ["tau", "A[F770W]"]
    with pytest.raises(ml.InputError, match=r"has no ranks of 'tua'; did you mean 'tau'"):
        draw_ranks(tmp_path, ["tua"])


@pytest.mark.parametrize(
    ("kind", "given", "match"),
    [
        ("curve", {}, "there is no figure 'curve'; did you mean 'curves'"),
        ("rank", {"quantities": ["A[F560W]"]}, r"'A\[F560W\]' is unknown; A has one for each band"),
        ("rank", {"quantities": ["taau"]}, "quantity 'taau' is unknown"),
        ("rank", {"quantities": ["tau"]}, "'tau' does not vary, or is not finite, in this run"),
        ("rank", {"bands": ["F770W"]}, "rank: this figure is of no bands"),
        ("ppc", {"bands": ["F560W"]}, "ppc: the run has no rows in band 'F560W'"),
        ("curves", {"quantities": ["A"]}, "curves: this figure is of no quantities"),
        ("stars", {"bands": ["F770W"]}, "stars: this figure is of all bands at once"),
        ("forest", {"quantities": ["A", "repeatability_median"]}, "have not the same unit"),
        ("pair", {"quantities": ["repeatability_median"]}, "1 quantities were asked for"),
        ("influence", {}, "is drawn of what stands in a run's folder; save the run first"),
    ],
)
def test_what_cannot_be_drawn_is_refused(fitted: ml.Run, kind: str, given: dict, match: str):
    with pytest.raises(ml.InputError, match=match):
        fitted.figure(kind, **given)


def test_draws_of_no_chains_have_no_ranks_and_no_energies(fitted: ml.Run):
    made = fitted.posterior.copy()
    made.attrs["method"] = "fast"
    for kind in ("rank", "energy"):
        with pytest.raises(ml.InputError, match="the draws of this run are of no chains"):
            draw_arviz_figure(kind, made, fitted.instrument)


def test_the_command_writes_vectors_and_lists_all_kinds(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert main(["plot", str(folder), "curves", "--band", "F770W"]) == 1  # a short run
    first = Path("tiny-curves.pdf").read_bytes()
    assert first.startswith(b"%PDF") and b"photometry_sha256" in first
    assert main(["plot", str(folder), "curves", "--band", "F770W", "--overwrite"]) == 1
    assert Path("tiny-curves.pdf").read_bytes() == first
    assert main(["plot", "--list"]) == 0
    printed = capsys.readouterr()
    assert [line.split()[0] for line in printed.out.splitlines()[-len(KINDS) :]] == [*KINDS]
    assert "note: this run must not be believed" in printed.err
    assert set(REPORT_FIGURES) < set(KINDS)
    for wrong in (["x.gif"], ["x"]):
        assert main(["plot", str(folder), "curves", "--out", *wrong]) == 2
    assert main(["plot", str(folder)]) == 2


def test_every_file_of_simulated_rows_says_so(folder: Path, tmp_path: Path):
    study, made = tmp_path / "study", tmp_path / "made"
    study.mkdir(), made.mkdir()
    write_ranks(study)
    for suffix in ("pdf", "svg", "png"):
        assert main(["plot", str(study), "sbc", "--out", str(made / f"ranks.{suffix}")]) == 0
    real = shutil.copytree(folder, tmp_path / "real")
    (real / "sbc").mkdir()
    write_ranks(real / "sbc")  # its truths and rows are simulated all the same
    assert main(["plot", str(real), "sbc", "--out", str(made / "of_run.svg")]) == 1
    assert len(list(made.iterdir())) == 4 and silent(made) == []
    figure = Figure()
    write_figure(figure, tmp_path / "real.pdf", {"simulated": 0})
    assert b"SIMULATED" not in (tmp_path / "real.pdf").read_bytes()
