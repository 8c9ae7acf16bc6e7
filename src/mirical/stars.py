"""The standard stars of the program: names, aliases, types and spectra, once."""

from __future__ import annotations

from dataclasses import dataclass

from mirical.errors import InputError, did_you_mean

STAR_TYPES: tuple[str, ...] = ("HotStars", "ADwarfs", "SolarAnalogs")

_TYPE_SPELLINGS = {
    "hotstars": "HotStars",
    "hostars": "HotStars",  # as the paper's Table 5 prints it
    "hotstar": "HotStars",
    "adwarfs": "ADwarfs",
    "adwarf": "ADwarfs",
    "solaranalogs": "SolarAnalogs",
    "solaranalog": "SolarAnalogs",
}


@dataclass(frozen=True)
class Star:
    """One standard star.

    Attributes
    ----------
    name : str
        Name as the paper's tables write it.
    srctype : str
        One of `STAR_TYPES`.
    spectrum : str or None
        Root of the CALSPEC file name (before ``_stis...``); None where none is used.
    aliases : tuple of str
        Other names in use, the paper's own misprints included.
    """

    name: str
    srctype: str
    spectrum: str | None = None
    aliases: tuple[str, ...] = ()


STARS: dict[str, Star] = {
    star.name: star
    for star in (
        Star("10 Lac", "HotStars", "10lac"),
        Star("G 191-B2B", "HotStars", "g191b2b", ("G191B2B",)),
        Star("GD 153", "HotStars", "gd153", ("GD153",)),
        Star("GD 71", "HotStars", "gd71", ("GD71",)),
        Star("LAWD 87", "HotStars", "lds749b", ("LDS 749B",)),
        Star("WD 1057+719", "HotStars", "wd1057_719"),
        Star("lam Lep", "HotStars", "lamlep", ("λ Lep",)),
        Star("mu Col", "HotStars", "mucol", ("μ Col",)),
        Star("16 Cyg B", "SolarAnalogs", "16cygb", ("HD 186427",)),
        Star("C26202", "SolarAnalogs", aliases=("GSPC C26202",)),
        Star("P177-D", "SolarAnalogs", "p177d", ("GSPC P177-D",)),
        Star("P330-E", "SolarAnalogs", "p330e", ("GSPC P330-E",)),
        Star("HD 106252", "SolarAnalogs", "hd106252"),
        Star("HD 142331", "SolarAnalogs", "hd142331", ("HD 1452331",)),
        Star("HD 167060", "SolarAnalogs", "hd167060"),
        Star("HD 37962", "SolarAnalogs", "hd37962"),
        Star("HR 6538", "SolarAnalogs", "hd159222", ("HD 159222",)),
        Star("SNAP-2", "SolarAnalogs"),
        Star("2MASS J17430448+6655015", "ADwarfs", "1743045", ("J1743045", "2MASS J17430448")),
        Star("2MASS J17571324+6703409", "ADwarfs", "1757132", ("J1757132", "2MASS J17571324")),
        Star("2MASS J18022716+6043356", "ADwarfs", "1802271", ("J1802271", "2MASS J18022716")),
        Star("BD+60 1753", "ADwarfs", "bd60d1753"),
        Star("HD 101452", "ADwarfs", "hd101452"),
        Star("HD 163466", "ADwarfs", "hd163466"),
        Star("HD 180609", "ADwarfs", "hd180609"),
        Star("HD 2811", "ADwarfs", "hd2811"),
        Star("HD 55677", "ADwarfs", "hd55677"),
        Star("HR 5467", "ADwarfs", "hd128998", ("HD 128998",)),
        Star("del UMi", "ADwarfs", "delumi", ("δ UMi",)),
    )
}
"""The program's stars by name."""


def _folded(name: str) -> str:
    return "".join(c for c in name.casefold() if c not in "-_" and not c.isspace())


_BY_SPELLING = {_folded(alias): s.name for s in STARS.values() for alias in (s.name, *s.aliases)}


def canonical_star(name: str) -> str:
    """Return the program's name of a star, or the name itself for a star of the user's own.

    Case, blanks and hyphens do not matter for the program's stars (``del umi``,
    ``G191-B2B``, and ``BD+60-1753`` as proposers' target names have it).
    """
    return _BY_SPELLING.get(_folded(name), name.strip())


def find_type(spelling: str, where: str) -> str:
    """Return the star type meant by a ``srctype`` entry.

    Raises
    ------
    InputError
        If it is none of the three types; `where` begins the sentence.
    """
    found = _TYPE_SPELLINGS.get(_folded(spelling))
    if found is None:
        hint = did_you_mean(spelling, STAR_TYPES)
        raise InputError(f"{where}: star type {spelling!r} is unknown{hint}")
    return found
