"""The schema of draws."""

from __future__ import annotations

from mirical.inference.schema import DIMS


def test_no_variable_has_the_name_of_a_dim():
    """The dim's coordinate would take the variable's place in the file."""
    assert set(DIMS) & {dim for dims in DIMS.values() for dim in dims} == set()
