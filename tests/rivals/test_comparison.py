"""Tables of rival models, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mirical.rivals.comparison import hindcast_table
from mirical.rivals.fits import Predictions

NOTHING = np.zeros((100, 0))
WHOLE = Predictions(
    log_likelihood=np.random.default_rng(2).normal(size=(100, 20)),
    log_a=np.random.default_rng(3).normal(size=(100, 2)),
    log_c=np.zeros((100, 2, 3)),
    later=NOTHING,
    share=NOTHING,
    problem="",
)


def test_later_rows_that_nothing_is_known_of_do_not_count():
    shares = np.array([0.5, 0.1, 0.001, np.nan, np.nan])
    past = replace(
        WHOLE,
        later=np.tile([1.0, 2.0, 3.0, 0.0, 0.0], (100, 1)),
        share=np.tile(shares, (100, 1)),
    )
    line = hindcast_table({"own": {None: WHOLE, 100.0: past}}, 57000.0)[0]
    assert (line["rows_before"], line["rows_after"], line["log_score"]) == (20, 3, 2.0)
    assert (line["inside_68"], line["inside_95"]) == (1, 2)
    unknown = replace(past, later=past.later[:, 3:], share=past.share[:, 3:])
    assert len(hindcast_table({"own": {None: WHOLE, 100.0: unknown}}, 57000.0)) == 0
