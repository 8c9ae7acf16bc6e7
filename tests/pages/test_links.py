"""Pages of a run link to those that are there, and runs are listed whatever lies beside them."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from made_runs import make_run
from mirical.cli import main
from mirical.pages.links import link_page, link_pages
from mirical.pages.pictures import Picture
from mirical.reporting.page import render
from simulated_outputs import silent

NAMES = ("differences", "curves", "stars", "subarrays", "predictive", "tails")
OF = {
    "simulated": True,
    "card": "<b>made</b>",
    "photometry": "rows.ecsv",
    "rows_mjd": [59730, 60620],
}


def add_page(folder: Path, page: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    html = render(make_run(simulated=1), dict.fromkeys(NAMES, Picture(b"")))
    (folder / page).write_text(html, encoding="utf-8")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder of a run with a check, a damaged one, and what is none."""
    for name in ("one & only", "damaged"):
        add_page(tmp_path / name, "report.html")
    (tmp_path / "one & only" / "diagnostics.json").write_text(
        json.dumps({"believable": True, "of": OF})
    )
    (tmp_path / "damaged" / "diagnostics.json").write_text(
        '{"believable": [], "of": {"simulated": {}, "rows_mjd": 5}}'
    )
    add_page(tmp_path / "one & only" / "check", "check.html")
    (tmp_path / "none").mkdir()
    return tmp_path


def links(page: Path) -> dict[str, str]:
    """Return what the links of a page to others are called, and where they lead."""
    found = re.findall(r'<nav aria-label="Pages of this run">(.*?)</nav>', page.read_text("utf-8"))
    assert len(found) <= 1
    return {
        called: to
        for part in found
        for to, called in re.findall(r'<a href="(.*?)">(.*?)</a>', part)
    }


def test_pages_link_to_those_that_are_there(runs: Path):
    run = runs / "one & only"
    link_pages(runs / "damaged")
    assert links(runs / "damaged" / "report.html") == {}
    link_page(run / "check", "check.html")
    assert links(run / "report.html") == {"Check": "check/check.html"}
    assert links(run / "check" / "check.html") == {"Report": "../report.html"}
    add_page(run / "rivals", "rivals.html")
    link_page(run / "rivals", "rivals.html")
    assert links(run / "check" / "check.html") == {
        "Report": "../report.html",
        "Rival models": "../rivals/rivals.html",
    }
    shutil.rmtree(run / "check")
    link_pages(run)
    assert set(links(run / "report.html")) == {"Rival models"}
    add_page(runs / "elsewhere", "check.html")
    link_page(runs / "elsewhere", "check.html")
    assert links(runs / "elsewhere" / "check.html") == {}


def test_pages_of_a_run_that_must_not_be_used_say_so(runs: Path):
    run = runs / "one & only"
    page = run / "check" / "check.html"
    for believable in (False, True):
        (run / "diagnostics.json").write_text(json.dumps({"believable": believable, "of": OF}))
        link_pages(run)
        said = '<a href="../report.html#diagnostics">its report</a>' in page.read_text("utf-8")
        assert said is not believable
        assert "its report</a>" not in (run / "report.html").read_text("utf-8")


def test_the_list_tells_of_every_run_and_is_kept(runs: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["index", str(runs)]) == 0
    assert capsys.readouterr().out == f"{runs / 'index.html'} lists 2 runs\n"
    page = (runs / "index.html").read_text(encoding="utf-8")
    lines = re.findall(r'<tr><th scope="row" class="text">(.*?)</tr>', page)
    cells = [re.sub(r"<.*?>", "|", line) for line in lines]
    assert "damaged" in cells[0] and cells[0].count("–") == 5
    for word in (
        "one &amp; only",
        "SIMULATED",
        "2022-05-31 to 2024-11-06",
        "&lt;b&gt;made&lt;/b&gt;",
        "may be used",
    ):
        assert word in cells[1]
    for address in re.findall(r'<td.*?href="(.*?)"', page):
        assert os.path.exists(runs / address.replace("%20", " ").replace("%26", "&"))
    assert links(runs / "one & only" / "check" / "check.html")["All runs"] == "../../index.html"
    assert silent(runs / "one & only" / "check") == []
    add_page(runs / "another", "report.html")
    link_pages(runs / "another")
    assert "lists" not in capsys.readouterr().out
    assert (runs / "index.html").read_text(encoding="utf-8").count('<th scope="row"') == 3
    assert links(runs / "another" / "report.html") == {"All runs": "../index.html"}


def test_a_page_of_somebody_else_is_left_alone(runs: Path, capsys: pytest.CaptureFixture[str]):
    (runs / "index.html").write_text("my own page")
    link_pages(runs / "one & only")
    assert "All runs" not in links(runs / "one & only" / "report.html")
    assert main(["index", str(runs)]) == 2
    assert "is no list of runs, and is left as it is; move it away first" in capsys.readouterr().err
    assert (runs / "index.html").read_text() == "my own page"
    assert main(["index", str(runs / "nowhere")]) == 2
    assert "give one that holds folders of runs" in capsys.readouterr().err
