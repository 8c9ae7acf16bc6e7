"""Detector terms: what each adds to ln C of a row."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable
from numpyro import handlers

from designs import crowded_design
from detector_card import detector_card_text
from miri_facts import MIRI
from mirical.cards.card import parse_card
from mirical.errors import InputError
from mirical.model.covariates import UNNAMED, covariates_of
from mirical.model.detector_terms import DETECTOR_TERMS, detector_effect

CARD = parse_card(detector_card_text('["F770W", "F560W"]'), "test", "test", MIRI)


def test_the_effect_of_a_row_is_the_sum_of_its_terms():
    design = crowded_design(60)
    trace = handlers.trace(handlers.seed(detector_effect, 3)).get_trace(design, CARD)
    value = {name: np.asarray(trace[name]["value"]) for name in DETECTOR_TERMS}
    found = np.asarray(
        handlers.substitute(
            detector_effect,
            data={n: s["value"] for n, s in trace.items() if n.endswith("_unit")},
        )(design, CARD)
    )
    seen = design.covariates
    for row in range(60):
        band, mjd = design.band[row], 59720.0 + design.elapsed[row]
        expected = sum(value["step"][k, band] for k in range(2) if mjd >= seen.steps[k])
        curve = value["time_departure"][:, band]
        expected += np.interp(mjd, seen.knots, curve)
        expected += value["rate_slope"][band] * (seen.log_rate[row] - np.log10(300))
        expected += value["well_slope"][band] * (seen.log_well[row] - 4)
        expected += value["reduction_offset"][seen.reduction[row], design.subarray[row]]
        assert found[row] == pytest.approx(expected, rel=1e-12)
    # F560W states no rate, so its slope cannot be told; the reference reduction has no offset.
    assert value["rate_slope"][0] == 0 != value["rate_slope"][1]
    assert np.all(value["reduction_offset"][-1] == 0)
    assert np.all(value["reduction_offset"][0] != 0)


def test_covariates_are_read_from_the_rows_and_missing_ones_are_told():
    rows = QTable({"filter": ["FND", "FND", "F560W", "F770W", "F770W"]})
    rows["pixrate"] = [100.0, 1000.0, np.nan, 10.0, np.nan] * u.DN / u.s
    rows["reduction"] = ["1.14", "", "1.13", "1.14", "1.14"]
    rows["time"] = [59900.0, 60000.0, 60100.0, 60000.0, 60000.0] * u.d
    seen = covariates_of(rows, CARD)
    assert seen.log_rate.tolist() == [2.0, 3.0, 0.0, 1.0, 0.0]
    assert seen.rated == ("FND",)
    assert seen.welled == ()
    assert seen.reductions == (UNNAMED, "1.13", "1.14")
    assert seen.reduction.tolist() == [2, 0, 1, 2, 2]
    assert seen.steps == (59900.0, 60200.0)
    assert seen.knots[:2] == (59900.0, 59975.0) and 60400 <= seen.knots[-1] < 60475


def test_a_card_without_detector_terms_has_no_effect():
    text = detector_card_text().split("[term.rate_slope]")[0]
    effect = detector_effect(crowded_design(60), parse_card(text, "test", "test", MIRI))
    assert jnp.all(effect == 0)


def test_a_departure_that_changes_too_fast_for_the_rows_is_refused():
    rows = QTable({"filter": ["FND", "FND"]})
    rows["time"] = [59800.0, 61800.0] * u.d
    fast = detector_card_text().replace('value = 300.0\nunit = "d"', 'value = 5.0\nunit = "d"')
    with pytest.raises(InputError, match=r"departure_length is 5 d; expected 42 d or more"):
        covariates_of(rows, parse_card(fast, "test", "test", MIRI))
