"""A star left out: its rows flagged, nothing else touched."""

from __future__ import annotations

from mirical.inference.jobs import Job, job_factors
from mirical.inference.leave_out import without_star
from mirical.model.design import make_design


def test_only_the_star_s_rows_are_flagged():
    factors = job_factors(Job("test", "table5", "hierarchical"))
    left = without_star(factors, "16 Cyg B")
    before, after = factors.observations.table, left.observations.table
    for old, new in zip(before, after, strict=True):
        assert str(new["flag"]) == str(old["flag"]) or (
            str(old["name"]) == "16 Cyg B" and str(new["flag"]) == "left_out"
        )
    assert set(make_design(factors).stars) - set(make_design(left).stars) == {"16 Cyg B"}
    assert "left_out" not in set(map(str, before["flag"]))
