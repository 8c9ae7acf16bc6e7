"""Checks of a photom reference file's primary header: what the pipeline and CRDS demand of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from mirical.exports.preflight_file import ERROR, WARNING, Finding, PhotomFile
from mirical.instruments.miri import miri

_DEMANDED = ("DESCRIP", "REFTYPE", "AUTHOR", "PEDIGREE", "USEAFTER", "INSTRUME")
_EXPECTED = {
    "INSTRUME": "MIRI",
    "DETECTOR": "MIRIMAGE",
    "REFTYPE": "PHOTOM",
    "TELESCOP": "JWST",
}
_EXPOSURES = {"MIR_IMAGE", "MIR_4QPM", "MIR_LYOT", "MIR_TACQ", "MIR_TACONFIRM", "MIR_CORONCAL"}
_MODEL = "MirImgPhotomModel"
_AREAS = {"PIXAR_SR": "sr", "PIXAR_A2": "arcsec2"}
_AREA_TOLERANCE = 0.005

_USEAFTER = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_PEDIGREES, _DATED = ("GROUND", "MODEL", "DUMMY", "SIMULATION"), ("INFLIGHT", "MODEL")
_REFUSED = "the pipeline does not look, CRDS refuses the file"


def keywords(file: PhotomFile) -> list[Finding]:
    """Find keywords of the header that are missing or wrong."""
    header = file.header
    found = [
        Finding(
            "missing-keyword",
            ERROR,
            keyword,
            f"{keyword} is missing: the pipeline stops with ValueError at every image; add it.",
        )
        for keyword in _DEMANDED
        if keyword not in header
    ]
    if "TELESCOP" not in header:
        sentence = f"TELESCOP is missing: {_REFUSED}; expected JWST."
        found.append(Finding("missing-keyword", ERROR, "TELESCOP", sentence))
    elsewhere = "the pipeline does not look, CRDS files it among other files"
    for keyword, expected in _EXPECTED.items():
        got = str(header.get(keyword, expected)).strip()
        if got.upper() != expected:
            sentence = f"{keyword} is {got!r}: {elsewhere}; expected {expected}."
            found.append(Finding("wrong-keyword", ERROR, keyword, sentence))
    for keyword in ("EXP_TYPE", "P_EXP_TY"):
        given = {one.strip().upper() for one in str(header.get(keyword, "ANY")).split("|")}
        if not given & (_EXPOSURES | {"ANY", "N/A"}):
            sentence = (
                f"{keyword} is {header[keyword]!r}: {elsewhere}, for exposures of another kind; "
                "expected MIR_IMAGE among them."
            )
            found.append(Finding("wrong-keyword", ERROR, keyword, sentence))
    if header.get("DATAMODL") != _MODEL:
        sentence = (
            f"DATAMODL is {header.get('DATAMODL', 'missing')}: the pipeline opens the file as "
            f"something else and stops at every image; expected {_MODEL}."
        )
        found.append(Finding("wrong-model", ERROR, "DATAMODL", sentence))
    return found


def delivery(file: PhotomFile) -> list[Finding]:
    """Find keywords in a form that CRDS does not take, though the pipeline does."""
    header = file.header
    found = [
        Finding("wrong-keyword", ERROR, keyword, sentence) for keyword, sentence in _forms(file)
    ]
    for keyword in ("AUTHOR", "DESCRIP"):
        if keyword in header and not str(header[keyword]).strip():
            sentence = f"{keyword} is blank: {_REFUSED}; fill it in."
            found.append(Finding("wrong-keyword", ERROR, keyword, sentence))
    if file.changed:
        sentence = (
            "its checksums are not those of its contents: the file was edited or damaged after it "
            "was written, and CRDS refuses it; write it again, or its checksums if you edited it."
        )
        found.append(Finding("wrong-checksum", WARNING, "file", sentence))
    return found


def _forms(file: PhotomFile) -> Iterator[tuple[str, str]]:
    """Yield keywords of another form than CRDS takes, and what is expected of each."""
    header = file.header
    useafter = str(header.get("USEAFTER", "2022-05-21T00:00:00")).rstrip()
    if not (_USEAFTER.fullmatch(useafter) and _is_date(useafter)):
        yield (
            "USEAFTER",
            f"USEAFTER is {useafter!r}: {_REFUSED}; expected YYYY-MM-DDTHH:MM:SS.",
        )
    pedigree = str(header.get("PEDIGREE", "MODEL"))
    kind, *dates = pedigree.upper().split() or [""]
    plain = not dates and kind in _PEDIGREES
    dated = len(dates) == 2 and kind in _DATED and all(map(_DATE.fullmatch, dates))
    if not plain and not (dated and all(map(_is_date, dates)) and dates[0] <= dates[1]):
        yield (
            "PEDIGREE",
            f"PEDIGREE is {pedigree!r}: {_REFUSED}; expected INFLIGHT YYYY-MM-DD YYYY-MM-DD (first "
            f"and last day), or one of {', '.join(_PEDIGREES)}.",
        )


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:  # such as a 30th of February
        return False
    return True


def pixel_area(file: PhotomFile) -> list[Finding]:
    """Find solid angles of a pixel that are missing or another instrument's."""
    found = []
    for keyword, unit in _AREAS.items():
        expected, got = float(miri().pixel_solid_angle.to_value(unit)), file.header.get(keyword)
        if not isinstance(got, int | float):
            sentence = (
                f"{keyword} is missing: without a file of pixel areas, images get no solid angle "
                f"and cannot be summed to Jy; expected {expected:.6g} {unit}."
            )
            found.append(Finding("no-pixel-area", WARNING, keyword, sentence))
        elif not abs(got / expected - 1) < _AREA_TOLERANCE:
            sentence = (
                f"{keyword} is {got:.6g} {unit}: without a file of pixel areas, images get it, and "
                f"fluxes in Jy are {got / expected:.3g} times what they should be; expected "
                f"{expected:.6g}."
            )
            found.append(Finding("wrong-pixel-area", ERROR, keyword, sentence))
    return found


KEYWORDS = (keywords, delivery, pixel_area)
