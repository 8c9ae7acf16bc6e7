"""Goals as they are written, and as linear forms."""

from __future__ import annotations

import numpy as np
import pytest

from miri_facts import MIRI
from mirical.errors import InputError
from mirical.planning.goals import Goal, parse_goal

BANDS = ("F770W", "F1500W", "F2550W")


def goal(text: str, private: bool = False) -> Goal:
    return parse_goal(text, MIRI, BANDS, private)


@pytest.mark.parametrize(
    ("text", "names", "bands", "weights"),
    [
        ("F2550W at MJD 61500", ("F2550W",), ("F2550W",), [[1]]),
        (" f2550w  AT mjd61500", ("F2550W",), ("F2550W",), [[1]]),
        ("F770W/F1500W at 61500", ("F770W/F1500W",), ("F770W", "F1500W"), [[1, -1]]),
        ("mean of all bands at MJD 61500", ("mean of all bands",), BANDS, [[1 / 3] * 3]),
        ("Worst band at MJD 61500", BANDS, BANDS, np.eye(3)),
    ],
)
def test_a_goal_of_factors(text: str, names: tuple, bands: tuple, weights: list):
    found = goal(text)
    assert found.names == names
    assert tuple(atom.band for atom in found.atoms) == bands
    assert {(atom.subarray, atom.mjd) for atom in found.atoms} == {(None, 61500.0)}
    np.testing.assert_allclose(found.weights, weights)


def test_a_goal_of_a_readout():
    common, own = goal("D of sub64"), goal("D of SUB64 in f770w", private=True)
    assert [(atom.band, atom.subarray) for atom in common.atoms] == [(None, "SUB64")]
    assert [(atom.band, atom.subarray) for atom in own.atoms] == [("F770W", "SUB64")]
    assert common.names == ("D of SUB64",) and own.names == ("D of SUB64 in F770W",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("everything", "is no goal; expected 'F2550W at MJD 61500'"),
        ("F2550W", "is no goal"),
        ("F2550 at MJD 61500", "no rows in a band 'F2550'; did you mean 'F2550W'"),
        ("F560W at MJD 61500", "no rows in a band 'F560W'"),
        ("F770W at MJD soon", "'soon' is no epoch of JWST"),
        ("F770W at MJD 2461500", "'2461500' is no epoch of JWST"),
        ("F770W at MJD nan", "'nan' is no epoch of JWST"),
        ("F770W/F770W at MJD 61500", "a colour is of two bands"),
        ("D of FULL", "D of FULL is 1 by definition"),
        ("D of SUB65", "'SUB65' is unknown; did you mean 'SUB64'"),
    ],
)
def test_no_other_goal_is_taken(text: str, message: str):
    with pytest.raises(InputError, match=message):
        goal(text)


def test_d_common_to_bands_is_refused_where_there_is_none():
    with pytest.raises(InputError, match="gives each band a D of its own; add 'in F770W', say"):
        goal("D of SUB64", private=True)
