"""The page in a browser: rows are read by mouse and keyboard, stars switched, nobody is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import MISSING, Browser, a_browser
from made_runs import make_run
from mirical.pages.pictures import Picture
from mirical.reporting.page import render

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

HOSTILE = "<b>G 191-B2B</b>"
STARS = {"16 Cyg B": "SolarAnalogs", HOSTILE: "HotStars", "BD+60 1753": "ADwarfs"}
BLANK = b'<svg xmlns="http://www.w3.org/2000/svg" width="960" height="300"/>'
RIGHT, LEFT, END, ESCAPE = "\ue014", "\ue012", "\ue010", "\ue00c"
READ = """
const tip = document.getElementById("explore-tip");
return tip.hidden ? "" : tip.innerText;
"""
SHOWN = "return document.querySelectorAll('#explore-chart .row').length"
PLACE = """
const box = document.querySelector(arguments[0]).getBoundingClientRect();
return [box.x + box.width / 2, box.y + box.height / 2];
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a small simulated run, its figures blank."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    names = ("differences", "curves", "stars", "subarrays", "predictive", "tails")
    pictures = dict.fromkeys(names, Picture(b"", BLANK))
    path.write_text(render(make_run(stars=STARS, simulated=1), pictures), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def started() -> Iterator[Browser]:
    """A browser."""
    with a_browser() as browser:
        yield browser


@pytest.fixture(params=[(1400, 900, False), (400, 800, True)], ids=["desk", "phone in the dark"])
def browser(started: Browser, page: Path, request: pytest.FixtureRequest) -> Browser:
    """The page, opened; the chart in view."""
    started.complaints(), started.requests()
    started.size(*request.param)
    started.open(page)
    started.run("document.getElementById('explore').scrollIntoView()")
    return started


def test_it_opens_without_complaint_and_asks_nobody(browser: Browser, page: Path):
    browser.run("for (const d of document.querySelectorAll('details')) d.open = true")
    assert browser.complaints() == []
    assert browser.requests() == [page.as_uri()]
    wide = "return document.documentElement.scrollWidth - innerWidth"
    assert browser.run(wide) <= 0
    # What a hostile page might try, the page's own policy forbids.
    browser.run("new Image().src = 'https://example.org/x.png'")
    browser.run("fetch('https://example.org').catch(() => 0)")
    assert len([said for said in browser.complaints() if "Content Security Policy" in said]) >= 2
    assert browser.requests() == []


def test_the_mouse_reads_a_row(browser: Browser):
    assert browser.run(READ) == ""
    browser.point(*browser.run(PLACE, "#explore-row-1 .mark"))
    assert browser.run(READ).split("\n") == [
        f"{HOSTILE} hot star",
        "2022-05-31 (MJD 59730.00)",
        "program 1538, FULL, row 3",
        "C = 0.4553 ± 0.0014, +1.28 % off the curve",
        "residual +0.5 σ",
    ]
    browser.point(2, 2)
    assert browser.run(READ) == ""


def test_a_click_switches_a_star_and_a_box_the_outliers(browser: Browser):
    assert browser.run(SHOWN) == 6
    star = "#explore-stars button:nth-child(4)"
    browser.point(*browser.run(PLACE, star), press=True)
    pressed = f"return document.querySelector('{star}').getAttribute('aria-pressed')"
    assert browser.run(pressed) == "false" and browser.run(SHOWN) == 4
    browser.point(*browser.run(PLACE, star), press=True)
    assert browser.run(pressed) == "true" and browser.run(SHOWN) == 6
    browser.point(*browser.run(PLACE, "#explore-outliers"), press=True)
    assert browser.run(SHOWN) == 5
    assert browser.complaints() == []


def test_the_keyboard_reads_rows_and_their_labels_say_the_same(browser: Browser):
    browser.run("document.getElementById('explore-chart').focus()")
    browser.press(RIGHT, RIGHT, LEFT)
    said = """
    const chart = document.getElementById("explore-chart");
    const row = document.getElementById(chart.getAttribute("aria-activedescendant"));
    return [chart.getAttribute("role"), row.getAttribute("role"), row.ariaLabel, row.id];
    """
    chart, row, label, name = browser.run(said)
    assert (chart, row) == ("listbox", "option")
    assert label.replace(", ", " ", 1).split(", ")[0] == browser.run(READ).split("\n")[0]
    browser.press(END)
    assert browser.run(said)[3] == "explore-row-5" != name
    browser.press(ESCAPE)
    assert browser.run(READ) == ""


def test_curves_bands_and_rows_as_they_are_can_be_chosen(browser: Browser):
    choose = """
    const [id, value] = arguments, box = document.getElementById(id);
    if (box.type === "checkbox") box.click(); else { box.value = value; box.onchange(); }
    """
    dashed = "return document.querySelectorAll('#explore-chart .theirs.line').length"
    assert browser.run(dashed) == 1
    browser.run(choose, "explore-published", "")
    assert browser.run(dashed) == 0
    label = "return document.querySelector('#explore-row-1').ariaLabel"
    assert "+1.28 % off" in browser.run(label)
    browser.run(choose, "explore-aligned", "")
    assert "+0.27 % off" in browser.run(label)
    browser.run(choose, "explore-scale", "factor")
    axis = "return [...document.querySelectorAll('#explore-chart .axis')].map((t) => t.textContent)"
    assert "C [(MJy/sr)/(DN/s/pixel)]" in browser.run(axis)
    browser.run(choose, "explore-band", "2")
    assert browser.run(SHOWN) == 1
    browser.run("document.getElementById('explore-details').open = true")
    table = "return document.querySelectorAll('#explore-table tbody th[scope=row]').length"
    browser.run("return new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    assert browser.run(table) == 1


def test_everything_has_a_name_and_headings_are_in_order(browser: Browser):
    unnamed = """
    const bare = [...document.querySelectorAll("img:not([alt]), img[alt='']")];
    for (const one of document.querySelectorAll("button, select, input"))
      if (!one.textContent.trim() && !one.labels?.length && !one.ariaLabel) bare.push(one);
    for (const table of document.querySelectorAll("table"))
      if (!table.caption?.textContent) bare.push(table);
    for (const row of document.querySelectorAll("tbody tr"))
      if (!row.querySelector("th[scope=row]")) bare.push(row);
    return bare.map((one) => one.outerHTML.slice(0, 80));
    """
    assert browser.run(unnamed) == []
    levels = (
        "return [...document.querySelectorAll('h1, h2, h3, h4')].map((h) => Number(h.tagName[1]))"
    )
    found = browser.run(levels)
    assert found[0] == 1 and found.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(found, found[1:], strict=False))


def test_text_stands_out_from_its_ground(browser: Browser):
    faint = """
    const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const linear = (one) => one <= 10.3 ? one / 3294.6 : ((one / 255 + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) =>
      0.05 + 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const ground = (node) => {
      for (; node; node = node.parentElement) {
        const colour = channels(getComputedStyle(node).backgroundColor);
        if (colour.length === 3 || colour[3] > 0.5) return colour;
      }
    };
    const found = [];
    for (const node of document.querySelectorAll("main *")) {
      const own = [...node.childNodes].some((one) => one.nodeType === 3 && one.textContent.trim());
      if (!own || !node.checkVisibility() || node.closest("svg, script")) continue;
      const ratio = light(channels(getComputedStyle(node).color)) / light(ground(node));
      if (Math.max(ratio, 1 / ratio) < 4.5) found.push(node.outerHTML.slice(0, 80));
    }
    return found;
    """
    assert browser.run(faint) == []
