"""Standard stars of the program: names, aliases, types and spectra."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from mirical.text import one_line, plain_dashes


@dataclass(frozen=True)
class Star:
    """One standard star.

    Attributes
    ----------
    name : str
        Name as the paper's tables write it.
    srctype : str
        Its type in MIRI's program.
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
        Star(
            "10 Lac", "HotStars", "10lac",
            ("HD 214680", "HR 8622", "HIP 111841", "BD+38 4826"),
        ),
        Star(
            "G 191-B2B", "HotStars", "g191b2b",
            ("G191B2B", "WD 0501+527", "EGGR 247", "HIP 23692", "BD+52 913"),
        ),
        Star("GD 153", "HotStars", "gd153", ("WD 1254+223",)),
        Star("GD 71", "HotStars", "gd71", ("WD 0549+158",)),
        Star("LAWD 87", "HotStars", "lds749b", ("LDS 749B", "WD 2129+000")),
        Star("WD 1057+719", "HotStars", "wd1057_719", ("PG 1057+719",)),
        Star(
            "lam Lep", "HotStars", "lamlep",
            ("λ Lep", "6 Lep", "HD 34816", "HR 1756", "HIP 24845"),
        ),
        Star(
            "mu Col", "HotStars", "mucol",
            ("μ Col", "HD 38666", "HR 1996", "HIP 27204"),
        ),
        Star(
            "16 Cyg B", "SolarAnalogs", "16cygb",
            ("HD 186427", "HR 7504", "HIP 96901", "BD+50 2848"),
        ),
        Star(
            "C26202", "SolarAnalogs",
            aliases=("GSPC C26202", "[B2010] C26202", "2MASS J03323287-2751483"),
        ),
        Star("P177-D", "SolarAnalogs", "p177d", ("GSPC P177-D", "2MASS J15591357+4736419")),
        Star("P330-E", "SolarAnalogs", "p330e", ("GSPC P330-E", "2MASS J16313382+3008465")),
        Star("HD 106252", "SolarAnalogs", "hd106252", ("HIP 59610",)),
        Star("HD 142331", "SolarAnalogs", "hd142331", ("HD 1452331",)),
        Star("HD 167060", "SolarAnalogs", "hd167060"),
        Star("HD 37962", "SolarAnalogs", "hd37962"),
        Star("HR 6538", "SolarAnalogs", "hd159222", ("HD 159222", "HIP 85810")),
        Star("SNAP-2", "SolarAnalogs", aliases=("2MASS J16194609+5534178",)),
        Star(
            "2MASS J17430448+6655015", "ADwarfs", "1743045",
            ("J1743045", "2MASS J17430448", "J17430448+6655015"),
        ),
        Star(
            "2MASS J17571324+6703409", "ADwarfs", "1757132",
            ("J1757132", "2MASS J17571324", "J17571324+6703409", "TYC 4212-455-1"),
        ),
        Star(
            "2MASS J18022716+6043356", "ADwarfs", "1802271",
            ("J1802271", "2MASS J18022716", "J18022716+6043356"),
        ),
        # Proposers' names have no blanks, and CALSPEC writes d for the sign.
        Star(
            "BD+60 1753", "ADwarfs", "bd60d1753",
            ("BD+60-1753", "BD+60D1753", "BD+601753", "BD+60d 1753"),
        ),
        Star("HD 101452", "ADwarfs", "hd101452"),
        Star("HD 163466", "ADwarfs", "hd163466"),
        Star("HD 180609", "ADwarfs", "hd180609"),
        Star("HD 2811", "ADwarfs", "hd2811"),
        Star("HD 55677", "ADwarfs", "hd55677"),
        Star("HR 5467", "ADwarfs", "hd128998", ("HD 128998",)),
        Star(
            "del UMi", "ADwarfs", "delumi",
            ("δ UMi", "23 UMi", "Yildun", "HD 166205", "HR 6789", "HIP 85822"),
        ),
    )
}  # fmt: skip
"""The program's stars by name; a synonym is listed only where it is certain."""

# SIMBAD's marks of the kind of a name ("* del UMi", "V* ...", "NAME ...").
_PREFIX = re.compile(r"^(?:\*{1,2}|v\*|em\*|name)\s+")
_GREEK = (
    "alpha alf, beta bet, gamma gam, delta del, epsilon eps, zeta zet, eta eta, theta tet, "
    "iota iot, kappa kap, lambda lam, mu mu, nu nu, xi ksi, omicron omi, pi pi, rho rho, "
    "sigma sig, tau tau, upsilon ups, phi phi, chi chi, psi psi, omega ome"
)
_LETTERS = {entry.split()[0]: entry.split()[1] for entry in _GREEK.split(", ")}
_LETTERS |= dict(zip("αβγδεζηθικλμνξοπρστυφχψω", _LETTERS.values(), strict=True))
_BLANK = re.compile(r"(?<!\d)\s+|\s+(?!\d)")
# A hyphen beside a letter is no sign, but for catalogues of zones of declination and positions.
_ZONES = "".join(rf"(?<!^{zone})" for zone in ("bd", "cd", "cod", "cpd", "sd", "agk", "ls"))
_HYPHEN = re.compile(rf"-(?=[^\W\d])|(?<=[^\W\d]){_ZONES}(?<!j)-(?=\d)")
_CLOSE = 0.85  # of two spellings; HD numbers of four digits that differ in one are below


def star_key(name: str) -> str:
    """Return what all spellings of one star have in common: the key stars are told apart by.

    Capitals, SIMBAD's prefixes, the kind of dash and of blank, and hyphens beside letters do not
    matter (``HD 1234``, ``HD1234``, ``hd_1234``). A sign does, and so does a blank between two
    digits: BD+1 1234 and BD+11 234 are two stars, and BD-60 1753 is not BD+60 1753.
    """
    spelled = unicodedata.normalize("NFKC", one_line(name)).casefold()
    spelled = " ".join(plain_dashes(spelled).replace("_", " ").split())
    first, _, rest = _PREFIX.sub("", spelled).partition(" ")
    first = _LETTERS.get(first.rstrip("."), first) if rest else first
    return _HYPHEN.sub("", _BLANK.sub("", f"{first} {rest}")) or one_line(name)


_BY_KEY = {
    star_key(alias): star.name
    for star in STARS.values()
    for alias in (star.name, *filter(None, (star.spectrum,)), *star.aliases)
}


def canonical_star(name: str) -> str:
    """Return the program's name of a star, or the name itself for a star of the user's own.

    Any spelling with the key of one of a program star's names means that star (``del umi``,
    ``* del UMi``, ``G 191−B2B`` with a minus sign, ``HD 166205``). A name of the user's own
    comes back as one line with ASCII hyphens.
    """
    return _BY_KEY.get(star_key(name), plain_dashes(one_line(name)))


def canonical_stars(names: Iterable[str]) -> list[str]:
    """Return the canonical names of a table: one spelling a star, that which comes first."""
    first: dict[str, str] = {}
    found = (canonical_star(name) for name in names)
    return [first.setdefault(star_key(name), name) for name in found]


def similar_star(name: str) -> str:
    """Return the name of the program star that a name unknown to it resembles, else nothing."""
    if not name or canonical_star(name) in STARS:
        return ""
    close = get_close_matches(star_key(name), _BY_KEY, n=1, cutoff=_CLOSE)
    return _BY_KEY[close[0]] if close else ""


def star_hint(name: str) -> str:
    """Return ``"; did you mean 'X'?"`` for a name that resembles a program star's, else nothing."""
    similar = similar_star(name)
    return f"; did you mean {similar!r}?" if similar else ""
