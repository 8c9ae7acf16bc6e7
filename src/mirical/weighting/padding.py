"""Designs filled up to shapes that many have in common, so that compiled code serves them all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mirical.cards.card import Card
from mirical.inference.schema import DIMS, Arrays
from mirical.model.design import Design
from mirical.model.nesting import make_blocks, room
from mirical.model.terms import colour_correlation
from mirical.weighting.redrawn import Rows

_UNBOUNDED = 1e100
"""Error of ln C of a row that says nothing, not even in the last digit."""

_OF_ROWS = "expected", "sigma"


def padded_rows(design: Design, card: Card) -> Rows:
    """Return rows among more rows and visits, which say nothing, in blocks with room to spare.

    The rows themselves come first, as do the visits.
    """
    visits = room(len(design.visits) + 1)  # the rows that say nothing are a visit of their own
    more = room(len(design.rows)) - len(design.rows)

    def repeated(of_rows: np.ndarray) -> np.ndarray:
        return np.append(of_rows, np.repeat(of_rows[:1], more))

    columns = "log_factor", "elapsed", "band", "subarray", "star"
    seen = design.covariates
    described = {
        name: repeated(np.asarray(getattr(seen, name)))
        for name in ("log_rate", "log_well", "reduction")
    }
    nothing = np.full(more, _UNBOUNDED)
    own = np.full(more, len(design.visits), dtype=np.int32)
    padded = replace(
        design,
        **{name: repeated(np.asarray(getattr(design, name))) for name in columns},
        log_factor_unc=np.append(design.log_factor_unc, nothing),
        visit=np.append(design.visit, own),
        rows=(*design.rows, *[0] * more),
        visits=(*design.visits, *[""] * (visits - len(design.visits))),
        covariates=replace(seen, **described),
    )
    return Rows(padded, make_blocks(padded, colour_correlation(design, card), roomy=True))


def cut(sites: Arrays, design: Design) -> Arrays:
    """Return draws of sites, (draw, ...), without what a padded design has beside a design's."""
    dims = DIMS | dict.fromkeys(_OF_ROWS, ["row"])
    sizes = {"visit": len(design.visits), "row": len(design.rows)}
    found = {}
    for name, values in sites.items():
        places = [slice(None), *(slice(sizes.get(dim)) for dim in dims.get(name, ()))]
        found[name] = values[tuple(places)]
    return found
