"""MIRI's card: bands and subarrays."""

from __future__ import annotations

import pytest
from asdf.schema import load_schema
from stdatamodels.jwst.datamodels import ImageModel
from stdatamodels.schema import merge_property_trees

from miri_facts import BANDS, IMAGING_BANDS, MIRI, NEWER_SUBARRAYS, SUBARRAYS, UNIT_SUBARRAYS
from mirical.errors import InputError


def test_there_are_fourteen_bands_in_order_of_wavelength_nine_of_them_imaging():
    pivots = [band.pivot for band in BANDS.values()]
    assert len(BANDS) == 14 and len(IMAGING_BANDS) == 9
    assert pivots == sorted(pivots)
    assert all(name == band.name for name, band in BANDS.items())


def test_a_band_has_a_mask_exactly_if_it_is_a_coronagraph_band():
    assert {b.name: b.mask for b in BANDS.values() if b.mask or b.kind == "coronagraph"} == {
        "F1065C": "MASK1065",
        "F1140C": "MASK1140",
        "F1550C": "MASK1550",
        "F2300C": "MASKLYOT",
    }


def test_an_unknown_band_is_refused_with_the_closest_name():
    assert MIRI.find_band("F770W", "x").pivot == 7.639
    with pytest.raises(
        InputError, match=r"^x: band 'F1550' is not a MIRI band; did you mean 'F1550C'\?$"
    ):
        MIRI.find_band("F1550", "x")


def test_masks_and_the_prism_subarray_share_the_term_of_full():
    assert [MIRI.subarray_term(name, "x") for name in SUBARRAYS] == list(SUBARRAYS)
    assert {MIRI.subarray_term(name, "x") for name in UNIT_SUBARRAYS} == {"FULL"}


def test_an_unknown_subarray_is_refused_with_the_closest_name():
    with pytest.raises(
        InputError, match=r"^x: subarray 'MASK1066' is unknown; did you mean 'MASK1"
    ):
        MIRI.subarray_term("MASK1066", "x")


@pytest.mark.parametrize(
    ("band", "neighbours"),
    {
        "F1065C": ("F1000W", "F1130W"),
        "F1140C": ("F1000W", "F1130W"),
        "FND": ("F1280W", "F1500W"),
        "F1550C": ("F1500W", "F1800W"),
        "F2300C": ("F2100W", "F2550W"),
    }.items(),
)
def test_other_bands_lie_between_two_imaging_bands(band: str, neighbours: tuple[str, str]):
    assert MIRI.neighbours(band) == neighbours


@pytest.mark.parametrize(("band", "fwhm"), [("F560W", 1.636), ("F1000W", 2.888), ("F2550W", 7.312)])
def test_a_stars_image_is_as_wide_as_the_diffraction_limit(band: str, fwhm: float):
    # Widths in pixels as the paper's own reduction code lists them.
    assert MIRI.fwhm(band) == pytest.approx(fwhm, rel=0.01)


def test_a_band_may_be_read_out_in_its_own_mask_and_others_masks_to_acquire_targets():
    masks = {"MASK1065", "MASK1140", "MASK1550", "MASKLYOT"}
    assert masks & set(MIRI.readouts("F1065C")) == {"MASK1065"}
    assert masks & set(MIRI.readouts("F770W")) == set()
    assert masks <= set(MIRI.readouts("FND"))
    for band, known in BANDS.items():
        assert len(set(MIRI.readouts(band))) == len(MIRI.readouts(band))
        assert (set(SUBARRAYS) <= set(MIRI.readouts(band))) == (known.mask is None)
    assert MIRI.readouts("F2300C") == ("FULL", "MASKLYOT")


def test_the_spectrometers_subarrays_image_stars_to_acquire_them_alone():
    prism = {"SLITLESSPRISM", "SUBPRISM", "SUBSLIT", "SLITLESSPRISM_IP"}
    assert prism <= set(MIRI.readouts("F560W"))
    assert prism & set(MIRI.readouts("F770W")) == set()
    assert {"SUB64_IP", "SUB128_IP"} <= set(MIRI.readouts("F770W"))


@pytest.mark.parametrize(
    ("band", "subarray", "expected"),
    [
        ("F1065C", "SUB64", "FULL or MASK1065"),
        ("F1065C", "SLITLESSPRISM", "FULL or MASK1065"),
        ("F770W", "MASKLYOT", "FULL, BRIGHTSKY, SUB256, SUB128 or SUB64"),
        ("F2550W", "SUBSLIT", "FULL, BRIGHTSKY, SUB256, SUB128 or SUB64"),
    ],
)
def test_a_band_is_refused_where_it_is_not_observed(band: str, subarray: str, expected: str):
    sentence = f"^x: band '{band}' is not observed in '{subarray}'; expected {expected}\\.$"
    with pytest.raises(InputError, match=sentence):
        MIRI.require_readout(band, subarray, "x")
    MIRI.require_readout("FND", "MASKLYOT", "x")


def test_the_installed_pipeline_knows_exactly_these_readouts():
    schema = merge_property_trees(load_schema(ImageModel.schema_url, resolve_references=True))
    name = schema["properties"]["meta"]["properties"]["subarray"]["properties"]["name"]
    (miri,) = [one["enum"] for one in name["anyOf"] if "BRIGHTSKY" in one["enum"]]
    assert {"FULL", *miri} == {*SUBARRAYS, *UNIT_SUBARRAYS, *NEWER_SUBARRAYS}


def test_a_newer_readout_has_the_term_that_is_said():
    terms = {name: MIRI.assumed_term(name, "x") for name in NEWER_SUBARRAYS}
    assert {name: term for name, term in terms.items() if term != "FULL"} == {
        "SUB64_IP": "SUB64",
        "SUB128_IP": "SUB128",
    }
    assert MIRI.assumed_term("MASK1065", "x") == "FULL"
    with pytest.raises(InputError, match="subarray 'SUB64_IPS' is unknown"):
        MIRI.assumed_term("SUB64_IPS", "x")
