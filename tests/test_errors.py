"""Help with misspelt names."""

from __future__ import annotations

import pytest

from mirical.errors import InputError, did_you_mean, refuse_unknown_keys


def test_the_closest_name_is_offered_whatever_the_case():
    assert did_you_mean("CHAIN", ["chains", "draws"]) == "; did you mean 'chains'?"


def test_without_a_close_name_all_are_listed():
    assert did_you_mean("xyz", iter(["chains", "draws"])) == "; expected one of chains, draws."


def test_the_first_key_nobody_reads_is_refused():
    refuse_unknown_keys("job", ["draws"], ["chains", "draws"])
    sentence = "^job: unknown key 'drwas'; did you mean 'draws'\\?$"
    with pytest.raises(InputError, match=sentence):
        refuse_unknown_keys("job", ["draws", "drwas", "x"], iter(["chains", "draws"]))
