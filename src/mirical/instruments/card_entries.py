"""Entries of an instrument card, with the types and limits that its schema holds."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Name = Annotated[str, Meta(min_length=1, pattern=r"^\S(.*\S)?$")]
Word = Annotated[str, Meta(pattern=r"^\S+$")]
Positive = Annotated[float, Meta(gt=0)]
Epoch = Annotated[float, Meta(ge=0, le=100000)]
File = Annotated[str, Meta(min_length=1, description="a file in the card's folder")]

IMAGING = "imaging"
"""Kind of a band whose stars' fluxes are integrated over its bandpass."""


class Band(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One filter of an instrument.

    Attributes
    ----------
    name : str
        As in a table's column ``filter``.
    pivot : float
        Pivot wavelength in micron, sqrt(c F_nu / F_lambda).
    kind : str
        ``"imaging"``; any other, such as ``"coronagraph"``, is of a band whose predicted fluxes
        are interpolated between the imaging bands on either side.
    mask : str or None
        The only readout it is observed in, where there is one (a coronagraph's mask).
    bandpass : str or None
        Its throughput: ``sedpy:NAME``, a curve of the installed library, or a file of the folder
        with columns wavelength and throughput. None where nobody has it.
    aperture_error : float
        Relative error of the aperture correction beside the scatter of what was measured.
    pixel_solid_angle : float or None
        Of a pixel, in sr, where it is not the instrument's.
    """

    name: Word
    pivot: Positive
    kind: Name = IMAGING
    mask: Word | None = None
    bandpass: Name | None = None
    aperture_error: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    pixel_solid_angle: Positive | None = None


class Readout(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way of reading the detector out: a subarray, a mask, a detector, an observing cycle.

    Attributes
    ----------
    name : str
        As in a table's column ``subarray``.
    throughput : str
        Relative to the reference: ``"reference"`` (1, one readout of each card), ``"fitted"``,
        ``"one"``, or ``"assumed"`` where no standard star was observed in it.
    like : str or None
        Whose throughput is assumed.
    bands : tuple of str or None
        Bands observed in it; None for all but those of a mask.
    """

    name: Word
    throughput: Literal["reference", "fitted", "one", "assumed"]
    like: Word | None = None
    bands: tuple[Word, ...] | None = None


class StarType(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A type of standard star.

    Attributes
    ----------
    name : str
        As in a table's column ``srctype``.
    label : str or None
        What pages and figures call one such star, such as "A dwarf"; the name if None.
    spellings : tuple of str
        How else tables spell it; capitals and blanks do not matter.
    """

    name: Word
    label: Name | None = None
    spellings: tuple[Name, ...] = ()


class Factor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a calibration factor is.

    Attributes
    ----------
    kind : str
        ``"surface brightness"`` per count rate and pixel, or ``"flux"`` per count rate.
    unit : str
        Unit of flux density in it, such as MJy or uJy.
    pixel_solid_angle : float or None
        Of a pixel, in sr; for surface brightness alone.
    view : str or None
        Magnitude system (AB, ST or Vega) of the zero points that stand beside factors of flux.
    """

    kind: Literal["surface brightness", "flux"]
    unit: Name
    pixel_solid_angle: Positive | None = None
    view: Literal["AB", "ST", "Vega"] | None = None


class Published(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Published coefficients and where they are from.

    Attributes
    ----------
    source : str
        The publication.
    coefficients : str
        Table of filter, A, B, tau, sigma_cf, sigma_cf_pct and sigma_repeat_pct.
    throughput : str
        Table of subarray and d_sa.
    note : str
        What a page says of their errors and assumptions.
    """

    source: Name
    coefficients: File
    throughput: File
    note: str = ""


class Staged(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the paper's staged procedure assumes of the instrument.

    Attributes
    ----------
    free_tau_above : float
        Pivot wavelength in micron beyond which the time constant is fitted, not assumed.
    """

    free_tau_above: Positive


class Pipeline(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The pipeline that calibrates the instrument's images.

    Attributes
    ----------
    name : str
        ``"jwst"``, the one that mirical has exports and images for.
    instrument, detector : str
        Keywords INSTRUME and DETECTOR of its files.
    """

    name: Literal["jwst"]
    instrument: Name
    detector: Name


class Overheads(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Time that observations of the instrument are charged beside their exposures.

    Attributes
    ----------
    source : str
        Where the numbers are from.
    visit_seconds : float
        Of each visit: slew, guide star, what begins and ends it.
    exposure_seconds : float
        Of each exposure: set-up, change of filter, read-out.
    share : float
        What is charged beside all of it, as a share.
    """

    source: Name
    visit_seconds: Annotated[float, Meta(ge=0)]
    exposure_seconds: Annotated[float, Meta(ge=0)]
    share: Annotated[float, Meta(ge=0)] = 0.0
