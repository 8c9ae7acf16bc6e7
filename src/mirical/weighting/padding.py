"""Draws of a design that was filled up, cut to those of the design."""

from __future__ import annotations

from mirical.inference.schema import DIMS, Arrays
from mirical.model.design import Design

_OF_ROWS = "expected", "sigma"


def cut(sites: Arrays, design: Design, axes: int = 1) -> Arrays:
    """Return draws of sites, (draw, ...), without what is beside a design's rows and visits.

    `axes` is how many axes of draws there are.
    """
    dims = DIMS | dict.fromkeys(_OF_ROWS, ["row"])
    sizes = {"visit": len(design.visits), "row": len(design.rows)}
    found = {}
    for name, values in sites.items():
        places = [slice(None)] * axes + [slice(sizes.get(dim)) for dim in dims.get(name, ())]
        found[name] = values[tuple(places)]
    return found
