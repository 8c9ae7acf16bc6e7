"""Instrument cards read: a shipped one by name, or a folder with an ``instrument.toml``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from astropy import units as u

from mirical.errors import InputError, did_you_mean, refuse_unknown_keys, shown
from mirical.instruments.instrument import Instrument
from mirical.storage.shipped import instruments_folder
from mirical.storage.toml_files import parse_toml, read_toml_text

CARD = "instrument.toml"

KEPT = "instrument"
"""Folder of a run's folder that holds the card of an instrument that is not shipped."""

LIBRARY = "sedpy:"
"""Beginning of a bandpass that is a curve of the installed library."""

DEFAULT = "miri"
"""The card of jobs and runs that name none."""

_WHERE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>\$.*)`)?$", re.DOTALL)
_PLACE = re.compile(r"\[(\d+)\]")


def shipped_instruments() -> tuple[str, ...]:
    """Return the names of the cards that come with mirical."""
    return tuple(sorted(path.parent.name for path in instruments_folder().glob(f"*/{CARD}")))


def load_instrument(name: str, where: str, beside: Path | None = None) -> Instrument:
    """Return a shipped instrument by name, or that of a folder with an ``instrument.toml``.

    Parameters
    ----------
    name : str
        A shipped card's name, or a path to a folder or to the file in it.
    where : str
        Who asks; begins the sentence if there is none.
    beside : Path, optional
        Folder a relative path is tried in first.

    Raises
    ------
    InputError
        If there is no such card, or it states something that cannot be used.
    """
    if name in shipped_instruments():
        return _shipped(name)
    for given in ([] if beside is None else [beside / name]) + [Path(name)]:
        folder = given.parent if given.name == CARD else given
        if (folder / CARD).is_file():
            return _read(folder.resolve())
        if folder.is_dir():
            raise InputError(f"{where}: folder {shown(name)} has no {CARD} in it.")
    hint = did_you_mean(name, shipped_instruments())
    raise InputError(f"{where}: no instrument {shown(name)} is shipped or found as a folder{hint}")


def reference_of(instrument: Instrument) -> str:
    """Return how a job or a run names an instrument: a shipped card's name, or the folder."""
    folder = Path(instrument.folder)
    return folder.name if folder.parent == instruments_folder() else str(folder)


def kept_as(instrument: Instrument) -> str:
    """Return how a run's folder names its instrument: a shipped card, or the copy in the folder."""
    shipped = Path(instrument.folder).parent == instruments_folder()
    return reference_of(instrument) if shipped else KEPT


def card_files(instrument: Instrument) -> list[str]:
    """Return the names of the files that a card consists of, in its folder."""
    bandpasses = [band.bandpass for band in instrument.bands_stated if band.bandpass]
    named = [name for name in bandpasses if not name.startswith(LIBRARY)]
    return [CARD, *(file for file in _files(instrument).values() if file), *dict.fromkeys(named)]


@cache
def _shipped(name: str) -> Instrument:
    return _read(instruments_folder() / name)


def _read(folder: Path) -> Instrument:
    return parse_instrument(read_toml_text(folder / CARD), f"{folder.name}/{CARD}", folder)


def parse_instrument(text: str, where: str, folder: Path) -> Instrument:
    """Return the instrument of a card's text.

    Parameters
    ----------
    text : str
        The TOML.
    where : str
        Begins the sentence.
    folder : Path
        Where its tables are.

    Raises
    ------
    InputError
        For the first entry that cannot be used.
    """
    content = parse_toml(text, where)
    _refuse_unknown(content, where)
    try:
        found = msgspec.convert(content | {"folder": str(folder)}, Instrument)
    except msgspec.ValidationError as error:
        raise InputError(_sentence(str(error), content, where)) from error
    for fault in _faults(found):
        raise InputError(f"{where}: {fault}")
    return found


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a card, with which editors complete and check it."""
    schema = msgspec.json.schema(Instrument)
    of_card = schema["$defs"]["Instrument"]
    del of_card["properties"]["folder"]
    return {"title": "mirical instrument card", **schema}


def _refuse_unknown(content: dict[str, Any], where: str) -> None:
    """Refuse entries that no card has, each with the nearest one that it could be."""
    refuse_unknown_keys(where, content, _keys(Instrument))
    fields = {f.encode_name: f.type for f in msgspec.structs.fields(Instrument)}
    for key, value in content.items():
        of = _struct(fields[key])
        several = isinstance(value, list)
        for number, entry in enumerate(value if several else [value], start=1):
            if of is not None and isinstance(entry, dict):
                place = f"{key} {number}" if several else key
                refuse_unknown_keys(f"{where}: {_called(place, entry)}", entry, _keys(of))


def _keys(of: type[msgspec.Struct]) -> list[str]:
    return [f.encode_name for f in msgspec.structs.fields(of) if f.name != "folder"]


def _struct(kind: Any) -> type[msgspec.Struct] | None:
    """Return the struct in a type such as ``tuple[Band, ...]`` or ``Published | None``."""
    for one in (kind, *getattr(kind, "__args__", ())):
        if isinstance(one, type) and issubclass(one, msgspec.Struct):
            return one
    return None


def _called(place: str, entry: dict[str, Any]) -> str:
    name = entry.get("name")
    return f"{place} ({name})" if isinstance(name, str) else place


def _sentence(said: str, content: dict[str, Any], where: str) -> str:
    """Return our sentence for what the library says of an entry."""
    match = _WHERE.match(said)
    what, path = (match["what"], match["path"] or "$") if match else (said, "$")
    place, value = _place(path, content)
    missing = re.match(r"Object missing required field `(.*)`", what)
    if missing:
        return f"{where}: {place + ': ' if place else ''}{missing[1]!r} is missing; add it."
    expected = what.removeprefix("Expected ").split(", got")[0].replace("`", "")
    if what.startswith("Invalid enum value"):
        expected = "one of " + ", ".join(_choices(path))
    plain = {"float": "a number", "str": "text in quotes", "array": "a list", "object": "a table"}
    for word, in_words in plain.items():
        expected = re.sub(rf"\b{word}\b", in_words, expected)
    expected = expected.replace(r" matching regex '^\\S+$'", " without blanks")
    expected = re.sub(r" matching regex '.*'", " without blanks at its ends", expected)
    expected = expected.replace("of length >= 1", "that is not empty").replace("| null", "")
    return f"{where}: {place} is {shown(value)}; expected {expected.strip()}."


def _place(path: str, content: dict[str, Any]) -> tuple[str, Any]:
    """Return the entry a path of the library's means in words, and what stands there."""
    value: Any = content
    words: list[str] = []
    for part in path.removeprefix("$").strip(".").split("."):
        key = part.split("[")[0]
        if key:
            words.append(key)
            value = value.get(key) if isinstance(value, dict) else None
        for number in _PLACE.findall(part):
            value = value[int(number)] if isinstance(value, list) else None
            words[-1] += f" {int(number) + 1}"
            if isinstance(value, dict):
                words[-1] = _called(words[-1], value)
    return ": ".join(words), value


def _choices(path: str) -> list[str]:
    """Return what an entry of few values may be."""
    kind: Any = Instrument
    for part in path.removeprefix("$").strip(".").split("."):
        fields = {f.encode_name: f.type for f in msgspec.structs.fields(kind)}
        kind = fields[part.split("[")[0]]
        kind = _struct(kind) or kind
    return [repr(one) for one in getattr(kind, "__args__", ())]


def _faults(found: Instrument) -> Iterator[str]:
    """Yield what entries cannot be together, in an order in which later checks may rely on."""
    for what, names in (
        ("band", [one.name for one in found.bands_stated]),
        ("readout", [one.name for one in found.readouts_stated]),
        ("star_type", [one.name for one in found.star_types]),
    ):
        if not names:
            yield f"has no [[{what}]]; expected one at least."
        for name, count in Counter(names).items():
            if count > 1:
                yield f"{what} {name!r} stands there {count} times; expected it once."
    for label, unit in (("count_unit", found.count_unit), ("factor: unit", found.factor.unit)):
        try:
            u.Unit(unit)
        except ValueError:
            yield f"{label} is {unit!r}; expected a unit such as DN/s, electron/s, MJy or uJy."
    if not u.Unit(found.factor.unit).is_equivalent(u.Jy):
        yield f"factor: unit is {found.factor.unit!r}; expected one of flux density, such as uJy."
    of_flux = found.factor.kind == "flux"
    if of_flux != (found.factor.pixel_solid_angle is None):
        needs = "has no pixel_solid_angle" if of_flux else "needs pixel_solid_angle [sr]"
        yield f"factor: kind {found.factor.kind!r} {needs}; correct one of the two."
    if found.factor.view is not None and not of_flux:
        yield "factor: view is for factors of flux; leave it out."
    if found.factor.view == "Vega" and found.zero_points is None:
        yield "factor: view 'Vega' needs the table zero_points; add it, or state 'AB'."
    yield from _readout_faults(found)
    yield from _file_faults(found)


def _readout_faults(found: Instrument) -> Iterator[str]:
    readouts = {one.name: one for one in found.readouts_stated}
    references = [name for name, one in readouts.items() if one.throughput == "reference"]
    if len(references) != 1:
        listed = ", ".join(references) or "none"
        yield f"readouts with throughput 'reference' are {listed}; expected one."
    for one in readouts.values():
        place = f"readout {one.name!r}"
        if (one.throughput == "assumed") != (one.like is not None):
            yield f"{place}: 'like' goes with throughput 'assumed' alone; correct one of the two."
        if one.like is not None and one.like not in found.subarrays:
            hint = did_you_mean(one.like, found.subarrays)
            yield f"{place}: like is {one.like!r}, which has no throughput of its own{hint}"
        for band in one.bands or ():
            if band not in found.bands:
                hint = did_you_mean(band, found.bands)
                yield f"{place}: bands has {band!r}, which is no band{hint}"
    for band in found.bands.values():
        if found.reference not in found.readouts(band.name):
            yield (
                f"readout {found.reference!r}: its bands leave out {band.name!r}, whose factor is "
                "quoted in the reference; leave bands out there, and give the detector that sees "
                "this band throughput 'one'."
            )
        if band.mask is not None and band.mask not in found.unit_subarrays:
            yield (
                f"band {band.name!r}: mask is {band.mask!r}; expected a readout with throughput "
                "'one'."
            )
    ends = [found.bands[name].pivot for name in found.imaging_bands]
    for band in found.bands.values():
        if band.name not in found.imaging_bands and not (
            ends and min(ends) <= band.pivot < max(ends)
        ):
            yield (
                f"band {band.name!r}: kind is {band.kind!r}, and no imaging bands are on either "
                "side of it; expected 'imaging'."
            )
    if found.first_mjd > found.reference_mjd:
        yield (
            f"first_mjd is {found.first_mjd:g}, after reference_mjd {found.reference_mjd:g}; "
            "expected it before."
        )


def _files(found: Instrument) -> dict[str, str | None]:
    """Return the tables that a card names, by entry."""
    files = {
        "apertures": found.apertures,
        "predicted_fluxes": found.predicted_fluxes,
        "zero_points": found.zero_points,
    }
    if found.published is not None:
        files["published: coefficients"] = found.published.coefficients
        files["published: throughput"] = found.published.throughput
    return files


def _file_faults(found: Instrument) -> Iterator[str]:
    for entry, file in _files(found).items():
        if file is not None and not (Path(found.folder) / file).is_file():
            yield f"{entry}: there is no file {file!r} in the card's folder; add it."
