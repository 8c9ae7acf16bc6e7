"""The report says what the tables say, and nothing that could be mistaken for a measurement."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.utils.masked import Masked

from made_runs import PUBLISHED, make_run
from miri_facts import BANDS, MIRI
from mirical.calibration.comparison import compare_coefficients
from mirical.pages.pictures import Picture
from mirical.reporting.findings import answer
from mirical.reporting.method_tables import diagnostic_sheet
from mirical.reporting.page import draw, render, write_report
from mirical.tables.flags import FLAGS
from verdict import VERDICT

SCRIPT = "<script>alert(1)</script>"
PICTURES: dict[str, Picture] = dict.fromkeys(
    ("differences", "curves", "stars", "subarrays", "predictive", "tails"), Picture(b"pixels")
)


class Page(HTMLParser):
    """What a browser makes of a page: tags, links, text by the id it stands in, table cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text: dict[str, str] = {}
        self.cells: dict[str, list[list[tuple[str, str]]]] = {}
        self._inside: list[tuple[str, str]] = []
        self._in_cell = False
        self._table = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.links += [known[name] for name in ("href", "src") if name in known]
        if tag in ("meta", "img", "link", "input"):
            return
        self._inside.append((tag, known.get("id", "")))
        if tag == "table":
            self._table = known["id"]
            self.cells[self._table] = []
        if tag == "tr":
            self.cells[self._table].append([])
        if (tag == "td" and "class" in known) or known.get("scope") == "row":
            self.cells[self._table][-1].append(("", known["class"]))
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self._inside.pop()
        assert opened == tag, f"{opened} is closed by {tag}"
        self._in_cell &= tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        for _, where in self._inside:
            if where:
                self.text[where] = self.text.get(where, "") + data
        if self._in_cell:
            text, kind = self.cells[self._table][-1][-1]
            self.cells[self._table][-1][-1] = text + data, kind

    def line(self, table: str, first: str) -> list[str]:
        """Return the texts of the line of a table that begins with a word."""
        return next(
            [text for text, _ in line] for line in self.cells[table] if line and line[0][0] == first
        )


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory) -> Path:
    """What the report of the small run wrote."""
    path = tmp_path_factory.mktemp("report")
    write_report(run, path)
    return path


@pytest.fixture(scope="module")
def page(folder) -> Page:
    """The page of the small run."""
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def page_of(run) -> Page:
    return Page(render(run, PICTURES))


def test_the_page_is_complete_in_itself_and_small(folder, page, run):
    assert (folder / "report.html").stat().st_size < 3_000_000
    assert sorted(path.stem for path in (folder / "figures").iterdir()) == sorted(PICTURES)
    assert page.tags.count("img") == len(PICTURES)
    beside = {f"{name}.ecsv" for name in run.tables}
    beside |= {"diagnostics.json", "job.toml", "small.toml", "figures/"}
    outside = {link for link in page.links if not link.startswith(("data:image/", "#"))}
    assert outside == beside and "link" not in page.tags
    vectors = [link for link in page.links if link.startswith("data:image/svg+xml;base64,")]
    assert len(vectors) == len(PICTURES)


def test_the_same_run_gives_the_same_page(run):
    assert render(run, PICTURES) == render(run, PICTURES)


def test_factors_stand_beside_the_published_ones(page):
    assert page.line("factor-table", "F770W") == [
        "F770W", "7.639", "0.2578 ± 0.0053", "2.0", "1.5", "0.05", "0.25782 ± 0.00095", "0.0",
        "0.0", "3", "6", "FULL",
    ]  # fmt: skip
    assert page.line("factor-table", "F1800W")[9:] == ["3", "1", "SUB64"]
    assert "MJD 59760 in FULL, (MJy/sr)/(DN/s/pixel)" in page.text["factor-table"]


def test_the_bands_without_rows_get_a_sentence_and_no_number(page):
    fitted = {"F560W", "F770W", "F1800W"}
    for table in ("factor-table", "coefficient-table", "coverage-table"):
        bands = {line[0][0] for line in page.cells[table] if line}
        assert bands - {"all"} == fitted
    sentence = page.text["no-data"]
    assert set(re.findall(r"F\w+", sentence)) == set(BANDS) - fitted
    assert "No data" in sentence


def test_what_data_did_not_decide_is_grey_and_carries_its_word(page, run):
    words = {1: "data", 4: "borrowed", 7: "prior", 10: "partly prior"}
    for line in page.cells["coefficient-table"][2:]:
        for first, word in words.items():
            for place in (first, first + 2):
                text, kind = line[place]
                assert ("unmeasured" in kind) == (word != "data")
                # The word stands once, beside the first of the numbers that it holds for.
                assert text.endswith(f" {word}") == (word != "data" and place == first)
            assert "unmeasured" not in line[first + 1][1]
    assert page.line("subarray-table", "BRIGHTSKY prior")[1] == "1.010 ± 0.040"
    assert page.line("subarray-table", "FULL")[1:5] == ["1 by definition", "1.000", "–", "–"]
    assert page.line("star-table", "BD+60 1753")[2] == "2.1 ± 1.5 prior"
    assert page.line("star-table", "16 Cyg B")[2] == "−2.0 ± 1.0"


def test_colour_terms_within_their_error_are_not_findings(page):
    assert page.line("star-table", "16 Cyg B")[-1] == "4.0 ± 1.0"
    assert page.line("star-table", "BD+60 1753")[-1] == "0.5 ± 1.0 within 2 σ of zero"


def test_coefficients_differ_in_percent_and_sigma():
    page = page_of(make_run(shifts={"F770W": 0.05}))
    assert page.line("factor-table", "F770W")[7:9] == ["+5.0", "+2.3"]
    line = page.line("coefficient-table", "F770W")
    assert line[1:4] == ["0.2708 ± 0.0055", "0.25790 ± 0.00096", "+5.0 %\n+2.3 σ"]
    assert line[6].startswith("> +1000 %\n")  # B is published as all but zero
    assert page.line("coefficient-table", "F560W")[6].startswith("−")  # and here as zero: σ alone
    assert line[7] == "210.0 ± 4.2 prior"
    assert line[8:10] == ["200", "+5.0 %\n+2.4 σ"]
    assert line[10:] == ["0.40 ± 0.20 partly prior", "0.25", "+60.0 %\n+0.8 σ"]


def test_flagged_rows_are_listed_with_their_reason(page):
    assert page.line("flagged-table", "14") == [
        "14", "16 Cyg B", "1538", "F560W", "FULL", "59790.0", "4370.0 ± 5.4", "inconsistent",
        FLAGS["inconsistent"],
    ]  # fmt: skip


def test_deviant_rows_are_listed(page):
    listed = [line for line in page.cells["deviant-table"] if line]
    assert len(listed) == 1
    assert page.line("deviant-table", "1")[5:] == ["59730.0", "+40.0", "+77.7", "0.999"]


def test_a_far_row_is_listed_even_if_it_is_no_outlier():
    run = make_run()
    run.tables["rows"]["residual_sigma"][2] = -3.2
    assert page_of(run).line("deviant-table", "3")[-2:] == ["−3.2", "0.010"]


def test_without_flagged_or_deviant_rows_the_page_says_so():
    run = make_run()
    run.tables["rows"] = rows = run.tables["rows"][1:-1]
    rows["outlier_probability"] = np.full(len(rows), 0.01)
    run.tables["predictive"] = run.tables["predictive"][1:]
    page = page_of(run)
    assert "No row was flagged" in page.text["flagged-table"]
    assert "No fitted row deviates" in page.text["deviant-table"]


def test_stars_come_with_what_was_observed(page):
    assert page.line("input-table", "16 Cyg B") == [
        "16 Cyg B", "solar analog", "1538", "F560W, F770W, F1800W", "FULL, SUB64",
        "59730.0 to 59790.0", "5", "1",
    ]  # fmt: skip


def test_a_row_that_was_not_measured_has_no_number():
    run = make_run()
    rows = run.tables["rows"]
    rows["time"][-1], rows["iflux"][-1] = np.nan * u.d, np.nan * rows["iflux"].unit
    assert page_of(run).line("flagged-table", "14")[5:7] == ["–", "–"]


def test_masked_numbers_are_dashes():
    run = make_run()
    stars = run.tables["stars"]
    masked = Masked(np.array([False, True, False]), mask=[False, True, False])
    stars["offset_pct"] = Masked(stars["offset_pct"].value, mask=masked.mask) * u.percent
    assert page_of(run).line("star-table", "G 191-B2B")[2] == "–"


@pytest.mark.parametrize("where", ["star", "card", "job", "verdict", "provenance"])
def test_text_from_outside_is_escaped(where):
    texts = {"odd": SCRIPT} if where == "card" else {}
    stars = {SCRIPT if where == "star" else "16 Cyg B": "SolarAnalogs", "x": "ADwarfs"}
    run = make_run(stars=stars, **texts)
    if where == "job":
        run.job = replace(run.job, name=SCRIPT)
    if where == "verdict":
        run.verdict = replace(run.verdict, worst_rhat_of=SCRIPT, sentences=(SCRIPT,))
    if where == "provenance":
        run.posterior.attrs["photometry"] = SCRIPT
    html = render(run, PICTURES)
    assert SCRIPT not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    ours = Page(render(make_run(), PICTURES)).tags.count("script")
    assert Page(html).tags.count("script") == ours


def test_simulated_data_are_announced_loudly(page):
    assert "SIMULATED DATA" in page_of(make_run(simulated=1)).text["simulated"]
    assert "simulated" not in page.text
    assert "<title>SIMULATED DATA" in render(make_run(simulated=1), PICTURES)


def test_draws_not_to_be_believed_are_announced_loudly(run, page):
    sentence = "Too few effective draws."
    bad = replace(run.verdict, believable=False, sentences=(sentence,), min_ess_bulk=12.0)
    failed = page_of(make_run(verdict=bad))
    assert "DO NOT USE" in failed.text["not-believable"]
    assert sentence in failed.text["answer"]
    assert failed.line("diagnostic-table", "Bulk effective draws, fewest")[-1] == "FAILS"
    assert "not-believable" not in page.text


def test_diagnostics_stand_beside_their_limits(page):
    assert page.line("diagnostic-table", "R-hat, largest") == [
        "R-hat, largest", "1.0042", "A[F560W]", "at most 1.01", "passes",
    ]  # fmt: skip
    assert page.line("diagnostic-table", "Tail effective draws, fewest")[1] == "613"


def test_every_prior_is_stated_with_its_reason(page, run):
    for name, prior in run.inputs.card.priors.items():
        line = page.line("prior-table", name)
        assert line[2] == prior.describe()
        assert line[4:] == [prior.reason, prior.source or "–"]
    assert page.line("prior-table", "A")[3] == "(MJy/sr)/(DN/s/pixel)"
    assert page.line("prior-table", "repeatability_median")[3] == "none"
    assert "the factor, plain" in page.text["model"]


def test_predictive_coverage_is_a_line_a_band(page):
    assert page.line("coverage-table", "F560W") == ["F560W", "6", "1", "1.9", "1", "0.3"]
    assert page.line("coverage-table", "all")[:2] == ["all", "13"]


def test_provenance_is_complete_and_names_no_place_on_a_disk(folder, page, run):
    for key in ("photometry_sha256", "seed", "jax", "mirical"):
        assert str(run.posterior.attrs[key]) in page.text["provenance"]
    assert page.line("provenance", "Predicted fluxes")[1] == "fluxes.ecsv"
    assert "warmup 500" in page.line("provenance", "Sampler")[1]
    assert "somebody" not in (folder / "report.html").read_text(encoding="utf-8")


def test_the_answer_counts_what_was_fitted(run):
    said = answer(run.tables, run.verdict, MIRI)
    assert said[0] == (
        "13 of 14 rows of photometry were fitted: 3 stars in 3 bands out of 14, from MJD 59730.0 "
        "to 59790.0; 1 row flagged and not fitted; 1 of the fitted rows is probably an "
        "outlier and hardly counts."
    )
    assert said[1] == (
        "Factors at MJD 59760 in FULL have errors of 2.0 %, and relative ones of 1.5 %."
    )
    assert said[-1] == run.verdict.sentences[0]


def test_absolute_errors_are_called_so_and_differences_are_without_the_flux_scale(run):
    made = make_run(shifts={"F770W": 0.05})
    coefficients = made.tables["coefficients"]
    coefficients.meta |= {"flux_scale_pct": 1.2, "errors": "errors are absolute: <as it is>"}
    made.tables["comparison"] = compare_coefficients(coefficients, PUBLISHED, MIRI)
    assert answer(made.tables, made.verdict, MIRI)[1] == (
        "Factors at MJD 59760 in FULL have absolute errors of 2.0 %, and relative ones of 1.5 %."
    )
    line = page_of(made).line("factor-table", "F770W")
    # 2.04 % of ours without 1.2 %, and the published 0.37 % of theirs: 0.0448 and 0.0095 less 5 %
    assert line[2:5] == ["0.2707 ± 0.0055", "2.0", "1.5"] and line[7:9] == ["+5.0", "+2.8"]
    assert "(errors are absolute: <as it is>)" in page_of(made).text["two-errors"]


def test_the_answer_says_that_no_band_differs(run):
    said = " ".join(answer(run.tables, run.verdict, MIRI))
    assert "None differs from the published factor by more than 2 σ" in said


def test_the_answer_names_the_bands_that_differ():
    run = make_run(shifts={"F560W": 0.06, "F1800W": -0.07})
    said = " ".join(answer(run.tables, run.verdict, MIRI))
    assert (
        "more than 2 σ: F560W (+6.0 %, +2.8 σ) and F1800W (−7.0 %, −3.6 σ); the other agrees"
    ) in said


def test_a_difference_that_data_did_not_decide_says_so_in_the_answer():
    run = make_run(shifts={"F560W": 0.06})
    run.tables["comparison"].replace_column("basis", ["partly prior"] * 12)
    assert "F560W (+6.0 %, +2.8 σ, partly prior)" in " ".join(answer(run.tables, run.verdict, MIRI))


def test_a_band_seen_only_in_an_unknown_subarray_is_named(page):
    assert page.text["leaning"].startswith("F1800W was observed only in SUB64")
    run = make_run()
    run.tables["subarrays"]["basis"][-1] = "data"
    assert "leaning" not in page_of(run).text


def test_figures_and_page_name_the_same_pictures(run):
    assert set(draw(run.tables, MIRI, False)) == set(PICTURES)


def test_weighted_draws_are_told_by_their_k_in_place_of_energies():
    weighted = replace(
        VERDICT,
        method="update",
        min_bfmi=None,
        pareto_k=0.31,
        pareto_k_limit=0.7,
        effective_draws=2500.0,
    )
    lines = {line[0].text: line for line in diagnostic_sheet(weighted).lines}
    assert "E-BFMI, smallest" not in lines and "Divergent draws" not in lines
    told = [entry.text for entry in lines["Pareto k of the weights"]]
    assert told[1:] == ["0.31", "all draws", "below 0.70", "passes"]
    over = diagnostic_sheet(replace(weighted, pareto_k=0.8, worst_rhat=1.2)).lines
    assert [line[0].text for line in over if line[-1].text == "FAILS"] == [
        "Pareto k of the weights"
    ]


def test_the_age_of_the_last_row_and_the_growth_of_errors_stand_with_the_change_in_time(run):
    page = Page(render(run, PICTURES))
    assert page.text["age"] == (
        "The last row is of MJD 59790.0 (2022-07-30). A year after it the relative error of C has "
        "grown most in F1800W, from 3.00 to 6.00 %. On the law alone."
    )
    cells = [[cell for cell, _ in line] for line in page.cells["forecast-table"]]
    assert ["F770W", "59790.0", "2.00", "2.49", "2.99", "4.00", "4.00", "4.00", "2.00"] in cells
