"""A commented card to begin with."""

from __future__ import annotations

import json
from pathlib import Path

from mirical.errors import InputError
from mirical.instruments.cards import CARD, json_schema
from mirical.storage.files import whole_folder

SCHEMA = "instrument.schema.json"
"""File with which an editor completes and checks a card, written beside it."""

_TEXT = """\
#:schema ./{schema}
# Card of an instrument. Replace what does not fit; `mirical instrument check FOLDER` says what is
# wrong and what the card can be used for. Times are MJD in days, wavelengths in micron.

name = "{name}"
title = "{name} imaging"         # heads the pages
observatory = "my observatory"   # in messages
count_unit = "electron/s"        # of the column iflux; or "DN/s"

t0 = 60000.0                     # zero point of the time law
reference_mjd = 60000.0          # where one factor a band is quoted
launch_mjd = 59000.0             # no row is from before it
first_mjd = 59000.0              # no factor is asked for before it
visit_length = 1.0               # rows of one star within so many days share a visit

# What a calibration factor is: flux per count rate ...
[factor]
kind = "flux"
unit = "uJy"                     # factors are in uJy/(electron/s)
view = "AB"                      # and their zero points in AB magnitudes; or "ST", "Vega"
# ... or surface brightness per count rate and pixel:
# kind = "surface brightness"
# unit = "MJy"                   # factors are in (MJy/sr)/(DN/s/pixel)
# pixel_solid_angle = 2.86e-13   # sr

# Types of standard stars, as in the column srctype; what stars of one type have in common of the
# error of their predicted fluxes is a term of the model.
[[star_type]]
name = "standard"
label = "standard star"

# One table a band. bandpass is a file in this folder (ECSV: wavelength with a unit, throughput)
# or "sedpy:NAME", a curve of the installed library; without it no flux can be predicted.
[[band]]
name = "g"
pivot = 0.475
# bandpass = "g.ecsv"

[[band]]
name = "r"
pivot = 0.622
# bandpass = "r.ecsv"

# One table a readout, as in the column subarray: a subarray, a detector, an observing cycle. One
# is the reference; the throughput of others relative to it is "fitted", "one", or "assumed" to be
# that of another (like = "...").
[[readout]]
name = "FULL"
throughput = "reference"

[[readout]]
name = "SUB"
throughput = "fitted"

# Tables of this folder that a card may name (docs/instruments.md has their columns):
# predicted_fluxes = "predicted_fluxes.ecsv"   # name, filter, model_flux
# apertures = "apertures.ecsv"                 # without it iflux is of the whole star
# zero_points = "zero_points.ecsv"             # filter, f_nu of magnitude zero

# What a visit and an exposure are charged beside exposure times, for `mirical plan`:
# [overheads]
# source = "the observatory's pages"
# visit_seconds = 600.0                        # slew, guide star
# exposure_seconds = 60.0                      # set-up, change of filter
# share = 0.0                                  # of all of it, on top
"""


def write_skeleton(name: str, folder: Path) -> None:
    """Write a card to begin with into a folder, and the schema beside it.

    Raises
    ------
    InputError
        If the folder cannot be written, or the name is none.
    """
    if not name.isidentifier() or not name.isascii():
        raise InputError(
            f"instrument new: {name!r} is no name of an instrument; expected letters, digits and "
            "underscores, such as ACS."
        )
    with whole_folder(folder) as beside:
        (beside / CARD).write_text(skeleton_text(name), encoding="utf-8")
        (beside / SCHEMA).write_text(schema_text(), encoding="utf-8")


def skeleton_text(name: str) -> str:
    """Return a card to begin with, with comments."""
    return _TEXT.format(name=name, schema=SCHEMA)


def schema_text() -> str:
    """Return the JSON Schema of a card as its file has it."""
    return json.dumps(json_schema(), indent=2) + "\n"
