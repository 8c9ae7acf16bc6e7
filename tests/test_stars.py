"""Stars: names, aliases and types."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miri_facts import MIRI
from mirical.errors import InputError
from mirical.stars import STARS, canonical_star, canonical_stars, similar_star, star_hint, star_key

ALIASES = [(name, s.name) for s in STARS.values() for name in (s.name, *s.aliases)]
NAMES = st.from_regex(r"[A-Z][A-Za-z]{1,5} [1-9][0-9]{0,6}[a-z]?", fullmatch=True)


@pytest.mark.parametrize(
    ("spelling", "name"),
    {
        "HD 159222": "HR 6538",
        "HD 128998": "HR 5467",
        "LDS 749B": "LAWD 87",
        "HD 1452331": "HD 142331",  # the paper's misprint
        "DEL umi": "del UMi",
        "G191-B2B": "G 191-B2B",
        " bd+60  1753 ": "BD+60 1753",
        "BD+60-1753": "BD+60 1753",  # proposers' target names have no blanks
        "2MASS-J17571324+6703409": "2MASS J17571324+6703409",
        "A Star of My Own ": "A Star of My Own",
        "G 191−B2B": "G 191-B2B",  # a minus sign
        "BD+60–1753": "BD+60 1753",  # a dash
        "BD+60D1753": "BD+60 1753",  # CALSPEC's spelling
        "BD-60 1753": "BD-60 1753",  # another star
        "2MASS J17430448-6655015": "2MASS J17430448-6655015",
        "HD\u00a02811": "HD 2811",  # a blank that does not break
        "HD\u20092811": "HD 2811",  # a thin one
        "* del UMi": "del UMi",  # SIMBAD's marks
        "V* del UMi": "del UMi",
        "NAME Yildun": "del UMi",
        "* mu. Col": "mu Col",
        "µ Col": "mu Col",  # the micro sign
        "delta UMi": "del UMi",
        "HD 166205": "del UMi",
        "hd_166205": "del UMi",
        "WD 2129+000": "LAWD 87",
        "WD1057_719": "WD 1057+719",
        "GSPC P 177-D": "P177-D",
        "SNAP2": "SNAP-2",
        "eta UMi": "eta UMi",
        "HD −1": "HD -1",
    }.items(),
)
def test_an_alias_means_the_star_of_the_program(spelling: str, name: str):
    assert canonical_star(spelling) == name


def test_no_two_stars_share_a_name_an_alias_or_a_spectrum():
    names = [canonical_star(n) for s in STARS.values() for n in (s.name, *s.aliases)]
    assert names == [s.name for s in STARS.values() for _ in (s.name, *s.aliases)]
    spectra = Counter(s.spectrum for s in STARS.values() if s.spectrum)
    assert set(spectra.values()) == {1}


@pytest.mark.parametrize("alias,name", ALIASES)
@pytest.mark.parametrize("prefix", ["", "* ", "V* ", "NAME "])
def test_every_alias_resolves_in_any_dress(alias: str, name: str, prefix: str):
    dressed = (prefix + alias).upper().replace(" ", "\u00a0").replace("-", "\u2010")
    assert canonical_star(dressed) == name


@given(NAMES)
def test_another_name_is_kept_as_it_is(name: str):
    if star_key(name) not in {star_key(alias) for alias, _ in ALIASES}:
        assert canonical_star(name) == name


@given(st.text(st.characters(), max_size=25))
def test_a_canonical_name_stays_as_it_is(name: str):
    once = canonical_star(name)
    assert canonical_star(once) == once and star_key(once) == star_key(name) or once in STARS


def test_two_spellings_of_a_users_star_are_one_star():
    spellings = ["HD 1234", "hd1234", "HD\u00a01234", "HD_1234", "HD-1234", "HD 1235", "HR 6538"]
    assert (
        canonical_stars([*spellings, "HD 159222"])
        == [*["HD 1234"] * 5, "HD 1235"] + ["HR 6538"] * 2
    )


def test_signs_and_zones_tell_stars_apart():
    names = [
        "BD+1 1234",
        "BD+11 234",
        "BD-1 1234",
        "CD-60 17",
        "CD 60 17",
        "J0308-565",
        "J0308+565",
    ]
    assert canonical_stars(names) == names
    assert canonical_stars(["α Cen", "alf Cen", "* alpha Cen"]) == ["α Cen"] * 3


@pytest.mark.parametrize(
    ("name", "similar"),
    {
        "HD 163467": "HD 163466",
        "BD-60 1753": "BD+60 1753",
        "HD 159223": "HR 6538",
        "HD 2812": "",  # one of four digits: another star of the catalogue
        "eta UMa": "",
        "HD 2811": "",
        "": "",
    }.items(),
)
def test_a_name_that_resembles_a_program_star_s_is_pointed_out(name: str, similar: str):
    assert similar_star(name) == similar
    assert star_hint(name) == (f"; did you mean {similar!r}?" if similar else "")


def test_only_two_stars_have_no_calspec_spectrum():
    assert {s.name for s in STARS.values() if s.spectrum is None} == {"C26202", "SNAP-2"}


@pytest.mark.parametrize(
    ("spelling", "kind"),
    {
        "HoStars": "HotStars",
        "Adwarfs": "ADwarfs",
        "Solar Analogs": "SolarAnalogs",
        **dict(zip(MIRI.types, MIRI.types, strict=True)),
    }.items(),
)
def test_the_types_are_known_as_printed_and_as_meant(spelling: str, kind: str):
    assert MIRI.find_type(spelling, "x") == kind


def test_an_unknown_type_is_refused():
    sentence = r"^x: star type 'giants' is unknown; expected one of HotStars, ADwarfs, SolarAnalogs"
    with pytest.raises(InputError, match=sentence):
        MIRI.find_type("giants", "x")
