"""Numbers are printed with the digits their errors allow, and never without their basis."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn
from astropy.utils.masked import Masked

from mirical.number_text import NOTHING, Sheet, floats, measured, number, signed, text


@pytest.mark.parametrize(
    ("amount", "error", "printed"),
    [
        (0.451042, 0.00898, "0.4510 ± 0.0090"),
        (262.48, 141.3, "260 ± 140"),
        (-0.0310544, 0.02597, "−0.031 ± 0.026"),
        (0.00021, 0.0996, "0.00 ± 0.10"),
        (41.5591, 0.0996, "41.56 ± 0.10"),
        (-0.0001, 0.01, "0.000 ± 0.010"),
        (0.9664, 0.0, "0.9664"),
        (-0.0107, np.nan, "−0.0107"),
        (np.nan, 0.1, NOTHING),
    ],
)
def test_a_measurement_is_rounded_to_two_digits_of_its_error(amount, error, printed):
    assert measured(amount, error).text == printed


@pytest.mark.parametrize(
    ("amount", "printed"), [(0.32, "+0.3"), (-0.98, "−1.0"), (-0.04, "0.0"), (np.nan, NOTHING)]
)
def test_differences_carry_their_sign(amount, printed):
    assert signed(amount, 1).text == printed


def test_only_numbers_that_data_did_not_decide_carry_a_word():
    assert number(1.0, 1).caution == ""
    assert number(1.0, 1, "borrowed").caution == "borrowed"
    assert number(np.nan, 1, "prior").caution == ""


@pytest.mark.parametrize(
    ("words", "marked"),
    [
        # beside the name of the line, if the only word holds under both heads
        (("prior", "prior", "prior", "prior"), ("prior", "", "", "", "")),
        (("prior", "data", "prior", "data"), ("prior", "", "", "", "")),
        # under one head, or another word under the other: beside the first number under each
        (("prior", "prior", "data", "data"), ("", "prior", "", "", "")),
        (("prior", "prior", "borrowed", "prior"), ("", "prior", "", "borrowed", "prior")),
        (("data", "data", "data", "data"), ("", "", "", "", "")),
    ],
)
def test_a_word_of_caution_is_printed_once(words, marked):
    line = (text("F770W"), *(number(1.0, 1, word) for word in words))
    sheet = Sheet("made", ("Band", *"abcd"), (line,), groups=(("", 1), ("A", 2), ("B", 2)))
    assert tuple(word for _, word in sheet.marked[0]) == marked


@pytest.mark.parametrize(
    "column",
    [
        MaskedColumn([1.0, 2.0], mask=[False, True], unit="d"),
        Masked([1.0, 2.0], mask=[False, True]) * u.d,
        Masked([1.0, 2.0], mask=[False, True]),
    ],
    ids=["column", "quantity", "array"],
)
def test_masked_numbers_are_not_numbers(column):
    np.testing.assert_array_equal(floats(column), [1.0, np.nan])


def test_numbers_come_in_the_unit_asked_for():
    np.testing.assert_array_equal(floats([1.5, 2.0] * u.km, u.m), [1500.0, 2000.0])
