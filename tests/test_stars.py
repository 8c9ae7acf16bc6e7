"""Stars: names, aliases and types."""

from __future__ import annotations

from collections import Counter

import pytest

from mirical.errors import InputError
from mirical.stars import STAR_TYPES, STARS, canonical_star, find_type


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
    }.items(),
)
def test_an_alias_means_the_star_of_the_program(spelling: str, name: str):
    assert canonical_star(spelling) == name


def test_no_two_stars_share_a_name_an_alias_or_a_spectrum():
    names = [canonical_star(n) for s in STARS.values() for n in (s.name, *s.aliases)]
    assert names == [s.name for s in STARS.values() for _ in (s.name, *s.aliases)]
    spectra = Counter(s.spectrum for s in STARS.values() if s.spectrum)
    assert set(spectra.values()) == {1}


def test_only_two_stars_have_no_calspec_spectrum():
    assert {s.name for s in STARS.values() if s.spectrum is None} == {"C26202", "SNAP-2"}


@pytest.mark.parametrize(
    ("spelling", "kind"),
    {
        "HoStars": "HotStars",
        "Adwarfs": "ADwarfs",
        "Solar Analogs": "SolarAnalogs",
        **dict(zip(STAR_TYPES, STAR_TYPES, strict=True)),
    }.items(),
)
def test_the_types_are_known_as_printed_and_as_meant(spelling: str, kind: str):
    assert find_type(spelling, "x") == kind


def test_an_unknown_type_is_refused():
    sentence = r"^x: star type 'giants' is unknown; expected one of HotStars, ADwarfs, SolarAnalogs"
    with pytest.raises(InputError, match=sentence):
        find_type("giants", "x")
