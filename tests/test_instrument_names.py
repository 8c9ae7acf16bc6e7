"""No camera is named where every camera is fitted: its facts are in its card."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import mirical
from mirical.instruments.cards import load_instrument, shipped_instruments

PACKAGE = Path(mirical.__file__).parent
OF_ANY_INSTRUMENT = (
    "audits", "calibration", "cards", "chains", "checking", "inference", "laws", "model",
    "plotting", "reporting", "rivals", "staged", "tables",
)  # fmt: skip
"""Packages; those that one instrument alone has use for are `imaging`, what `exports` writes for
the pipeline, and simulations of its program."""

OF_A_PIPELINE = ("apcorr_file", "calibrated_image", "photom_file", "pipeline_", "preflight")
"""Beginnings of the modules of `exports` that know the files of one pipeline."""

NAMES = {
    name
    for card in shipped_instruments()
    for instrument in [load_instrument(card, "test")]
    for name in (instrument.name, *instrument.bands, *instrument.known_readouts)
}


def sources() -> list[Path]:
    found = [path for name in OF_ANY_INSTRUMENT for path in (PACKAGE / name).rglob("*.py")]
    found += (PACKAGE / "pages" / "templates").glob("*.html")
    exports = (PACKAGE / "exports").glob("*.py")
    return found + [path for path in exports if not path.name.startswith(OF_A_PIPELINE)]


def named(text: str) -> set[str]:
    """Return the names of instruments, bands and readouts that a text has as words of their own."""
    # A module and what it imports may be called after the package.
    return {word for word in re.findall(r"(?<![\w.])[A-Za-z]\w*(?![\w(])", text) if word in NAMES}


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_instrument_is_named(path: Path):
    assert named(path.read_text(encoding="utf-8")) == set()


def test_the_check_finds_a_name():
    assert named('if band == "F770W":  # of MIRI in FULL') == {"F770W", "MIRI", "FULL"}
