"""MIRI's fourteen imaging and coronagraph bands, and its subarrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mirical.errors import InputError, did_you_mean


@dataclass(frozen=True)
class Band:
    """One filter of the MIRI imager.

    Attributes
    ----------
    name : str
        Filter name as in the ``FILTER`` keyword.
    pivot : float
        Pivot wavelength in micron, sqrt(c F_nu / F_lambda) of the paper's Table 6.
    kind : str
        ``"imaging"``, ``"neutral density"`` or ``"coronagraph"``.
    mask : str or None
        The coronagraph mask it is observed in; None for the other bands.
    """

    name: str
    pivot: float
    kind: str = "imaging"
    mask: str | None = None

    @property
    def fwhm(self) -> float:
        """Full width at half maximum of a star's image, pixel: the diffraction limit's."""
        return FWHM_PER_MICRON * self.pivot


FWHM_PER_MICRON = 0.2885
"""Width of a MIRI image core in pixels a micron of wavelength: 2.89 pixels at 10 micron."""

BANDS: dict[str, Band] = {
    band.name: band
    for band in (
        Band("F560W", 5.635),
        Band("F770W", 7.639),
        Band("F1000W", 9.954),
        Band("F1065C", 10.595, "coronagraph", "MASK1065"),
        Band("F1140C", 11.304, "coronagraph", "MASK1140"),
        Band("F1130W", 11.309),
        Band("F1280W", 12.810),
        Band("FND", 12.900, "neutral density"),
        Band("F1500W", 15.062),
        Band("F1550C", 15.511, "coronagraph", "MASK1550"),
        Band("F1800W", 17.981),
        Band("F2100W", 20.794),
        Band("F2300C", 22.675, "coronagraph", "MASKLYOT"),
        Band("F2550W", 25.362),
    )
}
"""All bands by name, in order of pivot wavelength."""

IMAGING_BANDS: tuple[str, ...] = tuple(b.name for b in BANDS.values() if b.kind == "imaging")

SUBARRAYS: tuple[str, ...] = ("FULL", "BRIGHTSKY", "SUB256", "SUB128", "SUB64")
"""The imager's subarrays; their throughput relative to FULL is a term of the model."""

UNIT_SUBARRAYS: tuple[str, ...] = ("MASK1065", "MASK1140", "MASK1550", "MASKLYOT", "SLITLESSPRISM")
"""Readouts with D = 1: mask and band are one thing, so FULL says the same."""

NEWER_SUBARRAYS: dict[str, str] = {
    "SUB128_IP": "SUB128",
    "SUB64_IP": "SUB64",
    "SLITLESSPRISM_IP": "FULL",
    "SLITLESSPRISM_IPS": "FULL",
    "SUBPRISM": "FULL",
    "SUBPRISM_IP": "FULL",
    "SUBPRISM_IPS": "FULL",
    "SUBSLIT": "FULL",
}
"""Readouts the pipeline knows and no standard star was observed in: whose D is assumed for each.

The subarray of that size where there is one; else one of the spectrometer's, which
image a star for its acquisition alone.
"""

ACQUISITION_BANDS: tuple[str, ...] = ("F560W", "F1000W", "F1500W", "FND")
"""Bands in which targets are acquired, in the coronagraphs' masks as well."""


def find_band(name: str, where: str) -> Band:
    """Return the band of that name.

    Raises
    ------
    InputError
        If there is none; `where` begins the sentence.
    """
    if name not in BANDS:
        raise InputError(f"{where}: band {name!r} is not a MIRI band{did_you_mean(name, BANDS)}")
    return BANDS[name]


def subarray_term(name: str, where: str) -> str:
    """Return the subarray whose D applies: the name itself, or FULL where D = 1.

    Raises
    ------
    InputError
        If there is no such subarray.
    """
    if name in UNIT_SUBARRAYS:
        return "FULL"
    if name not in SUBARRAYS:
        known = (*SUBARRAYS, *UNIT_SUBARRAYS, *NEWER_SUBARRAYS)
        raise InputError(f"{where}: subarray {name!r} is unknown{did_you_mean(name, known)}")
    return name


def assumed_term(name: str, where: str) -> str:
    """Return the subarray whose D is taken for any readout the pipeline knows.

    Raises
    ------
    InputError
        If there is no such subarray.
    """
    if name in NEWER_SUBARRAYS:
        return NEWER_SUBARRAYS[name]
    return subarray_term(name, where)


def assumptions(subarrays: Iterable[str]) -> list[str]:
    """Say of which readouts the D is assumed because no standard star was observed in them."""
    return [
        f"{name}: no standard star was observed in it; D of {NEWER_SUBARRAYS[name]} is assumed."
        for name in dict.fromkeys(subarrays)
        if name in NEWER_SUBARRAYS
    ]


def readouts(band: str) -> tuple[str, ...]:
    """Return every subarray a band is observed in, FULL first and its own mask next.

    A coronagraph band is observed in its mask alone; FULL, where D = 1 as well, says the same.
    The spectrometer's subarrays and the masks image stars in the bands of target acquisition.
    """
    full, *others = SUBARRAYS
    mask = BANDS[band].mask
    if mask is not None:
        return full, mask
    acquires = band in ACQUISITION_BANDS
    *masks, prism = UNIT_SUBARRAYS
    newer = [
        name
        for name in NEWER_SUBARRAYS
        if acquires or name.removesuffix("_IP") in SUBARRAYS  # not a spectrometer's
    ]
    if not acquires:
        return (full, *others, *newer)
    return (full, *masks, *others, prism, *newer)


def require_readout(band: str, subarray: str, where: str) -> None:
    """Refuse a band in a subarray that it is not observed in.

    Raises
    ------
    InputError
        If the band or the subarray is unknown, or there is no such pair; `where` begins the
        sentence.
    """
    known = readouts(find_band(band, where).name)
    assumed_term(subarray, where)
    if subarray not in known:
        expected = [name for name in known if name not in NEWER_SUBARRAYS]
        raise InputError(
            f"{where}: band {band!r} is not observed in {subarray!r}; expected "
            f"{', '.join(expected[:-1])} or {expected[-1]}."
        )


def imaging_neighbours(name: str) -> tuple[str, str]:
    """Return the imaging bands on either side of a non-imaging band in pivot wavelength.

    Parameters
    ----------
    name : str
        FND or a coronagraph band.
    """
    pivot = BANDS[name].pivot
    below = [b for b in IMAGING_BANDS if BANDS[b].pivot <= pivot]
    above = [b for b in IMAGING_BANDS if BANDS[b].pivot > pivot]
    return below[-1], above[0]
