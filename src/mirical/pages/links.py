"""Links between the pages of a run, filled in whenever one of them is written.

A page is written when its command runs, and knows nothing of those that come later. So each has a
place for links, and whoever writes a page of a run fills that of every page that is there by then.
Of a run that must not be used, the pages beside its report say so there too.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from html import escape
from pathlib import Path

from mirical.pages.index import INDEX, PAGES, is_index, runs_of, verdict_of, write_index
from mirical.storage.files import whole_file

_PLACE = re.compile(rb"(<!-- pages of the run -->).*?(<!-- /pages of the run -->)", re.DOTALL)

_REPORT = "report.html"  # which has a caution of its own
_CAUTION = (
    '<p class="banner" id="not-believable"><b>DO NOT USE THESE NUMBERS</b> The sampler of this run '
    'failed a check; see <a href="{}#diagnostics">its report</a>.</p>\n'
)


def link_pages(run: Path) -> None:
    """Let the pages of a run's folder link to one another; make the list of runs anew, if any.

    Raises
    ------
    InputError
        If a page or the list cannot be written.
    """
    run = run.resolve()
    _fill(run)
    if is_index(run.parent / INDEX):
        write_index(run.parent)


def link_page(folder: Path, page: str) -> None:
    """Do the same after a page was written, if it lies where a run has it; see `link_pages`."""
    folder = folder.resolve()
    if f"{folder.name}/{page}" in PAGES and (folder.parent / _REPORT).is_file():
        link_pages(folder.parent)


def list_runs(folder: Path) -> int:
    """Write the list of a folder's runs, and let their pages link to it; return how many they are.

    Raises
    ------
    InputError
        If a page or the list cannot be written.
    """
    folder = folder.resolve()
    number = write_index(folder)
    for run in runs_of(folder):
        _fill(run)
    return number


def _fill(run: Path) -> None:
    """Fill the place for links of every page of a run."""
    listed = is_index(run.parent / INDEX)
    there = [page for page in PAGES if (run / page).is_file()]
    believed = verdict_of(run).get("believable") is not False
    for page in there:
        with suppress(OSError):  # what cannot be read is another's, and stays as it is
            text = (run / page).read_bytes()
            said = (_links(page, there, listed) + _caution(page, believed)).encode()
            linked = _PLACE.sub(lambda place, of=said: place[1] + of + place[2], text, count=1)
            if linked != text:
                with whole_file(run / page) as beside:
                    beside.write_bytes(linked)


def _links(page: str, there: list[str], listed: bool) -> str:
    """Return the element that links one page to the others; nothing if there is no other."""
    if len(there) == 1 and not listed:
        return ""
    parts = [
        f'<span aria-current="page">{PAGES[other]}</span>'
        if other == page
        else f'<a href="{escape(_relative(page, other))}">{PAGES[other]}</a>'
        for other in there
    ]
    if listed:
        parts.append(f'<a href="{escape(_relative(page, f"../{INDEX}"))}">All runs</a>')
    return f'\n<nav aria-label="Pages of this run">{" ".join(parts)}</nav>\n'


def _caution(page: str, believed: bool) -> str:
    """Return the caution of a page of a run that must not be used; nothing for the report."""
    return "" if believed or page == _REPORT else _CAUTION.format(_relative(page, _REPORT))


def _relative(page: str, other: str) -> str:
    """Return the address of one page of a run as another names it."""
    return Path(os.path.relpath(other, os.path.dirname(page) or ".")).as_posix()
