import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mirical.cli import main
from mirical.tables.photometry import load_photometry
from samples import MIRI, shipped_table
from vizier_server import Answers, serving, table5_answer, votable

BY_HAND = (
    "download Table 5 of Gordon et al. (2025, AJ 169, 6) by hand, from the journal "
    "(machine-readable table) or from VizieR (catalogue J/AJ/169/6; VOTable, FITS or CSV), and "
    "give the file: mirical fetch FILE --out table5-full.ecsv.\n"
)
TABLE = Path("table5-full.ecsv")
RECORD = Path("table5-full.source.json")


@pytest.fixture
def vizier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Answers, str]]:
    """Answers of a VizieR on the loopback, and its host; the current folder is an empty one."""
    answers = Answers(table5_answer())
    with serving(answers, tmp_path) as (host, certificate):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        yield answers, host


def test_the_fetched_table_is_read_as_the_printed_rows_are_and_recorded(vizier):
    answers, host = vizier
    assert main(["fetch", "table5", "--server", host]) == 0
    path, asked = answers.asked[0]
    assert path == "/viz-bin/votable"
    assert {"-source=J/AJ/169/6", "-out.max=unlimited", "-out.all"} <= set(asked.split("\n"))
    fetched, printed = (load_photometry(n, MIRI, "test") for n in (str(TABLE), "table5"))
    assert fetched.table.colnames == printed.table.colnames
    for name in printed.table.colnames:
        assert np.array_equal(fetched.table[name], printed.table[name]), name
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    assert record["rows"] == 31
    assert record["sha256"] == hashlib.sha256(TABLE.read_bytes()).hexdigest() == fetched.data_hash
    assert record["origin"] == "VizieR J/AJ/169/6: Table 5 of Gordon et al. (2025, AJ 169, 6)"
    assert record["read_from"] == [
        {
            "name": "answer of VizieR to -source=J/AJ/169/6",
            "sha256": hashlib.sha256(answers.body).hexdigest(),
        }
    ]
    assert host not in RECORD.read_text() + TABLE.read_text()


def test_fetching_again_leaves_the_same_table_and_replaces_another_if_told_to(vizier, capsys):
    answers, host = vizier
    command = ["fetch", "table5", "--server", host]
    assert main(command) == 0
    kept = TABLE.read_bytes(), RECORD.read_bytes()
    assert main(command) == 0
    assert "was there already, the same to the byte" in capsys.readouterr().out
    assert (TABLE.read_bytes(), RECORD.read_bytes()) == kept
    answers.body = votable({"t": shipped_table("table5")[:30]}).encode()
    assert main(command) == 2
    assert capsys.readouterr().err.endswith(
        "table5-full.ecsv: exists and is another table than the one that was fetched; choose "
        "another path, or --overwrite to replace it.\n"
    )
    assert (TABLE.read_bytes(), RECORD.read_bytes()) == kept
    assert main([*command, "--overwrite"]) == 0
    assert json.loads(RECORD.read_text())["rows"] == 30 and TABLE.read_bytes() != kept[0]


ANSWER = table5_answer()
REFUSED = {
    "an error of the server": (
        Answers(ANSWER, status=500),
        "table5: VizieR answers HTTP 500 (Internal Server Error); try again later, or " + BY_HAND,
    ),
    "a connection that breaks off": (
        Answers(ANSWER, length=len(ANSWER) + 1),
        "table5: no answer from VizieR (broke off before its end); try again later, or " + BY_HAND,
    ),
    "no answer in time": (
        Answers(ANSWER, wait=30.0),
        "table5: no answer from VizieR (timed out); try again later, or " + BY_HAND,
    ),
    "an empty answer": (
        Answers(b""),
        "table5: VizieR's answer is empty; try again later, or " + BY_HAND,
    ),
    "half an answer": (
        Answers(ANSWER[: ANSWER.index(b"<TR>") + 4]),
        "VizieR J/AJ/169/6: cannot be read as VOTable (24:4: no element found); try again later, "
        "or " + BY_HAND,
    ),
    "a page of HTML": (
        Answers(b"<html>Service unavailable</html>"),
        "VizieR J/AJ/169/6: cannot be read as VOTable (None:1:0: E19: File does not appear to be "
        "a VOTABLE); try again later, or " + BY_HAND,
    ),
    "no rows": (
        Answers(votable({}).encode()),
        "VizieR J/AJ/169/6: is a VOTable without rows; try again later, or " + BY_HAND,
    ),
    "an error in words": (
        Answers(
            votable({}, '<INFO name="Error" value="The database is not reachable."/>').encode()
        ),
        "VizieR J/AJ/169/6: the service says that it failed (The database is not reachable.); "
        "try again later, or " + BY_HAND,
    ),
    "rows that were cut short": (
        Answers(
            ANSWER.replace(b"<RESOURCE", b'<INFO name="QUERY_STATUS" value="OVERFLOW"/><RESOURCE')
        ),
        "VizieR J/AJ/169/6: the service says that it failed (its status is OVERFLOW); try again "
        "later, or " + BY_HAND,
    ),
    "other columns": (
        Answers(ANSWER.replace(b'"IFlux"', b'"Rate"').replace(b'"MJD"', b'"Day"')),
        "VizieR J/AJ/169/6: not the columns that are expected: time, iflux are missing in its "
        "table J/AJ/169/6/table5, whose columns are recno, Name, PID, SrcType, Filter, SubArr, "
        "Day, PixRate, PixWellDepth, IntTime, Rate, e_IFlux, IBkg, Flux, e_Flux, Bkg; a "
        "photometry table needs name, srctype, filter, subarray, time, iflux, ifluxunc.\n",
    ),
    "two columns of one meaning": (
        Answers(ANSWER.replace(b'"recno"', b'"Time"')),
        "J/AJ/169/6/table5: columns 'MJD' and 'time' mean the same thing.\n",
    ),
    "a row that nobody observed": (
        Answers(ANSWER.replace(b"<TD>59762.5</TD>", b"<TD>2022.5</TD>")),
        "table5-full.ecsv row 1: column 'time' is 2022.5 d; expected an MJD between 59573 (launch) "
        "and 70000. Correct the entry, or blank it to have the row flagged.\n",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_answer_that_is_none_gives_one_sentence_and_no_file(case: str, vizier, capsys):
    answers, host = vizier
    given, sentence = REFUSED[case]
    answers.body, answers.status, answers.length = given.body, given.status, given.length
    answers.wait = given.wait
    patience = "0.5" if given.wait else "30"
    assert main(["fetch", "table5", "--server", host, "--timeout", patience]) == 2
    assert capsys.readouterr().err == f"mirical: {sentence}"
    assert list(Path().iterdir()) == []


def test_without_a_connection_it_says_what_to_download(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["fetch", "table5", "--server", "127.0.0.1:1"]) == 2
    assert capsys.readouterr().err == (
        "mirical: table5: no answer from VizieR (Connection refused); try again later, or "
        + BY_HAND
    )


def test_without_astroquery_it_says_what_to_install_or_download(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "astroquery", None)
    assert main(["fetch", "table5"]) == 2
    assert capsys.readouterr().err == (
        "mirical: table5: the package astroquery is not installed; pip install 'mirical[fetch]', "
        "or " + BY_HAND
    )


def test_a_catalogue_of_flux_densities_is_no_photometry_and_is_said_to_be_none(vizier, capsys):
    answers, host = vizier
    table = shipped_table("table5")["name", "flux", "fluxunc"]
    answers.body = votable({"J/AJ/161/177/table3": table}).encode()
    assert main(["fetch", "irac", "--server", host]) == 2
    assert "-source=J/AJ/161/177\n" in answers.asked[0][1]
    assert capsys.readouterr().err == (
        "mirical: VizieR J/AJ/161/177: not the columns that are expected: srctype, filter, "
        "subarray, time, iflux, ifluxunc are missing in its table J/AJ/161/177/table3, whose "
        "columns are Name, Flux, e_Flux; a photometry table needs name, srctype, filter, subarray, "
        "time, iflux, ifluxunc. Flux densities that a calibration has already made of the counts "
        "tell nothing of the calibration factor; its fit needs the count rate and the epoch of "
        "each observation.\n"
    )


def test_rows_of_a_camera_without_a_card_ask_for_one(vizier, capsys):
    _, host = vizier
    assert main(["fetch", "irac", "--server", host]) == 2
    assert capsys.readouterr().err == (
        "mirical: irac: no instrument card of its camera comes with mirical; write one (mirical "
        "instrument new) and give it: --instrument CARD.\n"
    )
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["tabel5"], "fetch: 'tabel5' is no catalogue and no file; did you mean 'table5'?"),
        (["no.csv"], "no.csv: no such file; expected a table that was downloaded by hand."),
        (
            ["table5", "irac"],
            "fetch: table5 and irac are asked for together; fetch one catalogue, or files that "
            "make up one table.",
        ),
        (
            ["table5", "--timeout", "0"],
            "fetch: --timeout is 0; expected seconds above 0.",
        ),
        (
            ["table5", "--out", "table5.csv"],
            "table5.csv: expected a file name that ends with .ecsv.",
        ),
    ],
)
def test_what_cannot_be_fetched_is_refused(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(["fetch", *arguments]) == 2
    assert capsys.readouterr().err == f"mirical: {sentence}\n"
