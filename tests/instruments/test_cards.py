"""Instrument cards: read, refused in one sentence, checked, begun."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from astropy import units as u

from miri_facts import MIRI
from mirical.errors import InputError
from mirical.instruments.cards import load_instrument, shipped_instruments
from mirical.instruments.skeleton import schema_text, skeleton_text, write_skeleton
from mirical.instruments.uses import USES, require_pipeline

CARD = re.sub(r"\s*#.*", "", skeleton_text("toy"))
"""The card that users begin with, less its comments."""


def write(folder: Path, text: str = CARD) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "instrument.toml").write_text(text, encoding="utf-8")
    return str(folder)


def swap(old: str, new: str) -> Callable[[str], str]:
    assert old in CARD
    return lambda text: text.replace(old, new, 1)


def test_a_card_in_a_folder_is_an_instrument(tmp_path: Path):
    toy = load_instrument(write(tmp_path / "toy"), "x")
    assert list(toy.bands) == ["g", "r"] and toy.subarrays == ("FULL", "SUB")
    assert toy.factor_unit == u.uJy * u.s / u.electron
    assert toy.factor_text == "uJy/(electron/s)"
    # 2 uJy, and half a count a second in an aperture that holds a fifth of it: 0.8 uJy a count.
    assert toy.factors([2] * u.uJy, [0.5] * u.electron / u.s, 5.0, ["g"]).value == [0.8]
    assert toy.fluxes_per_rate([0.8], 5.0, ["g"]).to_value("uJy s / electron") == [4.0]
    assert load_instrument("toy", "x", tmp_path).name == "toy"  # beside the file that names it


MISTAKES = {
    "no TOML": (lambda text: text + "[[", "instrument.toml: not valid TOML"),
    "a misspelt entry": (swap("count_unit", "countunit"), "'countunit'; did you mean 'count_unit'"),
    "a misspelt entry of a band": (swap("pivot", "pivo"), r"band 1 \(g\).*'pivo'.*'pivot'"),
    "an entry that is missing": (swap("t0 = 60000.0", ""), "'t0' is missing; add it"),
    "text for a number": (
        swap("pivot = 0.622", 'pivot = "red"'),
        r"band 2 \(r\): pivot is 'red'; expected a number",
    ),
    "a number out of range": (
        swap("pivot = 0.622", "pivot = -0.6"),
        r"band 2 \(r\): pivot is -0.6; expected a number > 0",
    ),
    "a word that is none of few": (
        swap('"fitted"', '"measured"'),
        r"readout 2 \(SUB\): throughput is 'measured'; expected one of 'reference', 'fitted'",
    ),
    "a unit that is none": (swap("electron/s", "photoelectrons"), "count_unit is 'photoelectrons'"),
    "a band twice": (swap('"r"', '"g"'), "band 'g' stands there 2 times"),
    "two references": (swap('"fitted"', '"reference"'), "'reference' are FULL, SUB; expected one"),
    "surface brightness without a solid angle": (
        swap('kind = "flux"', 'kind = "surface brightness"'),
        "needs pixel_solid_angle",
    ),
    "a table that is not there": (
        swap("[factor]", 'apertures = "ap.ecsv"\n\n[factor]'),
        "apertures: there is no file 'ap.ecsv'",
    ),
    "a readout like one without throughput": (
        swap('throughput = "fitted"', 'throughput = "assumed"\nlike = "SUBB"'),
        "like is 'SUBB', which has no throughput of its own",
    ),
    "a reference that some bands lack": (
        swap('"reference"', '"reference"\nbands = ["g"]'),
        "readout 'FULL': its bands leave out 'r', whose factor is quoted in the reference",
    ),
    "a name with a blank": (
        swap('"SUB"', '"SUB 2"'),
        r"name is 'SUB 2'; expected .*without blanks",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_sentence(tmp_path: Path, mistake: str):
    change, said = MISTAKES[mistake]
    with pytest.raises(InputError, match=said) as caught:
        load_instrument(write(tmp_path / "toy", change(CARD)), "x")
    assert str(caught.value).startswith("toy/instrument.toml: ")
    assert "\n" not in str(caught.value)


def test_a_card_that_is_not_there_is_refused_with_the_shipped_ones(tmp_path: Path):
    with pytest.raises(InputError, match="x: no instrument 'mirri' .*did you mean 'miri'"):
        load_instrument("mirri", "x")
    with pytest.raises(InputError, match=r"has no instrument.toml in it"):
        load_instrument(str(tmp_path), "x")


def test_a_new_card_can_be_read_and_its_schema_stands_beside_it(tmp_path: Path):
    write_skeleton("mine", tmp_path / "mine")
    assert load_instrument(str(tmp_path / "mine"), "x").name == "mine"
    schema = json.loads((tmp_path / "mine" / "instrument.schema.json").read_text())
    assert schema == json.loads(schema_text())
    with pytest.raises(InputError, match="no name of an instrument"):
        write_skeleton("../x", tmp_path / "y")


def test_the_shipped_schema_is_that_of_the_code():
    assert (Path(MIRI.folder).parent / "instrument.schema.json").read_text() == schema_text()


@pytest.mark.parametrize("name", shipped_instruments())
def test_every_shipped_card_can_be_read(name: str):
    assert load_instrument(name, "x").folder.endswith(name)


def test_only_miri_can_do_everything(tmp_path: Path):
    assert [use.name for use in USES if use.lacks(MIRI)] == []
    toy = load_instrument(write(tmp_path / "toy"), "x")
    able = [use.name for use in USES if not use.lacks(toy)]
    assert able == ["fit a table of photometry"]
    with pytest.raises(InputError, match=r"^export: not for toy, whose card lacks \[pipeline\]"):
        require_pipeline(toy, "export")
