"""Rows added to a table: known ones counted once, changed ones refused, new ones put behind."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirical.errors import InputError
from mirical.tables.added_rows import added_rows
from mirical.tables.photometry import Observations
from samples import load, repeated

SECOND = 1 / 86400


def rows(folder: Path, **columns: object) -> Observations:
    return load(repeated(len(columns["time"]), **columns), folder)  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=12, unique=True),
    st.lists(st.integers(0, 30), min_size=1, max_size=12, unique=True),
    st.randoms(use_true_random=False),
)
def test_a_table_cut_anywhere_is_put_together_again(old: list[int], new: list[int], random):
    """Every observation is there once, the run's rows first and as they were, in any order."""
    random.shuffle(old)
    random.shuffle(new)
    with tempfile.TemporaryDirectory() as name:
        run, more = (
            rows(Path(name), time=59800.0 + 0.4 * np.array(days), iflux=4300.0 + np.array(days))
            for days in (old, new)
        )
    found = added_rows(run, more)
    fresh = [day for day in new if day not in old]
    days = (found.merged["time"].value - 59800.0) / 0.4
    np.testing.assert_allclose(days, [*old, *fresh], atol=1e-6)
    assert list(found.merged["row"]) == list(range(1, len(days) + 1))
    assert list(found.merged["visit"][: len(old)]) == list(run.table["visit"])
    assert [new[row - 1] for row in found.fresh] == fresh
    assert {new[row - 1]: old[of - 1] for row, of in found.known.items()} == {
        day: day for day in new if day in old
    }
    # Once more adds nothing.
    assert added_rows(run, run).fresh == ()


@pytest.mark.parametrize(
    ("column", "entry", "said"),
    [
        (
            "iflux",
            4305.0,
            "new row 2: column 'iflux' is 4305 DN / s, .* row 3, .* to 4300 ",
        ),
        ("ifluxunc", 6.6, "new row 2: column 'ifluxunc' is 6.6"),
        ("iflux", np.nan, "new row 2: column 'iflux' is nan"),
        ("flux", 0.459, "new row 2: column 'flux' is 0.459"),
        ("reduction", "1.15", "new row 2: column 'reduction' is '1.15', .* was fitted to '1.14'"),
    ],
)
def test_a_changed_row_is_refused_with_the_remedy(
    column: str, entry: object, said: str, tmp_path: Path
):
    times = 59800.0 + 7.0 * np.arange(3)
    run = rows(tmp_path, time=times, reduction="1.14")
    sound = repeated(1, reduction="1.14")[column][0]
    later = {"time": [times[0], times[2] + SECOND], "reduction": "1.14", column: [sound, entry]}
    with pytest.raises(InputError, match=f"(?s){said}.*correct the run's table and run the job"):
        added_rows(run, replace(rows(tmp_path, **later), source="new"))


def test_what_a_new_table_leaves_blank_changes_nothing(tmp_path: Path):
    run = rows(tmp_path, time=[59800.0], model_flux=0.46)
    assert added_rows(run, rows(tmp_path, time=[59800.0])).known == {1: 1}


def test_a_row_that_repeats_one_of_two_of_an_observation_is_known(tmp_path: Path):
    """The run flagged the second as a duplicate; both are rows it has."""
    run = rows(tmp_path, time=[59800.0, 59800.0], iflux=[4300.0, 4310.0])
    assert list(run.table["flag"]) == ["", "duplicate"]
    assert added_rows(run, rows(tmp_path, time=[59800.0], iflux=[4310.0])).known == {1: 2}


def test_new_rows_join_a_visit_of_the_run(tmp_path: Path):
    run = rows(tmp_path, time=[59800.5, 59900.0], iflux=[4300.0, 4301.0])
    later = rows(tmp_path, time=[59800.2, 59950.0], iflux=[4302.0, 4303.0])
    merged = added_rows(run, later).merged
    days = ["59800.5", "59900.0", "59800.5", "59950.0"]
    assert list(map(str, merged["visit"])) == [f"{merged['name'][0]} {day}" for day in days]
