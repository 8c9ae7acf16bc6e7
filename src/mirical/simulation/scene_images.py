"""Simulated images as JWST data models: mosaics, and dithered exposures with a WCS.

Every model says it is simulated in its title, its target's description and
its file name; it is otherwise what the pipeline writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import gwcs
import numpy as np
from astropy import coordinates, time
from astropy import units as u
from astropy.modeling import models
from gwcs import coordinate_frames
from jwst.assign_wcs.util import update_s_region_imaging
from numpy.typing import NDArray
from stdatamodels.jwst import datamodels
from stdatamodels.jwst.datamodels import dqflags

from mirical.instruments.miri import miri
from mirical.simulation.exposures import FRAME_TIME
from mirical.simulation.scenes import Scene

Floats = NDArray[np.float64]

TITLE = "SIMULATED by mirical"
"""Title of the program in every simulated file."""

_POINTINGS = 4  # dithers in a mosaic
_EPOCH = "2016-01-01T00:00:00"  # of the target's coordinates


@dataclass(frozen=True)
class Target:
    """Who is observed, when and where.

    Attributes
    ----------
    name : str
        Star, as the header's TARGNAME.
    program : str
        JWST program number.
    mjd : float
        Mid-exposure, d.
    ra, dec : float
        Position at the epoch of the coordinates, deg.
    motion : (float, float)
        Proper motion in right ascension (with cos dec) and declination, arcsec/yr.
    factor : float
        PHOTMJSR, (MJy/sr)/(DN/s/pixel).
    integration_time : float
        Of one integration, s.
    physical : bool
        Whether the images are in MJy/sr, as the pipeline leaves them, or in DN/s.
    filter_keyword : str or None
        What the header calls the filter if that is not the band.
    """

    name: str = "BD+60 1753"
    program: str = "1536"
    mjd: float = 59800.0
    ra: float = 261.218
    dec: float = 60.4308
    motion: tuple[float, float] = (0.0, 0.0)
    factor: float = 0.35
    integration_time: float = 20.0
    physical: bool = True
    filter_keyword: str | None = None

    def position(self) -> tuple[float, float]:
        """Return right ascension and declination at the epoch of observation, deg."""
        start = coordinates.SkyCoord(
            self.ra * u.deg,
            self.dec * u.deg,
            distance=100 * u.pc,  # any: astropy moves stars in space
            pm_ra_cosdec=self.motion[0] * u.arcsec / u.yr,
            pm_dec=self.motion[1] * u.arcsec / u.yr,
            obstime=time.Time(_EPOCH),
        )
        there = start.apply_space_motion(time.Time(self.mjd, format="mjd"))
        return float(there.ra.deg), float(there.dec.deg)


def mosaic(scene: Scene, target: Target, at: tuple[float, float]) -> datamodels.ImageModel:
    """Return a mosaic with independent pixels, the star's centre at pixel ``(x, y)``."""
    image, photon, read = scene.draw(*at)
    model = _model(scene, target, at, image, photon, read)
    model.meta.filename = f"simulated_{scene.band}_{scene.subarray}_{scene.seed}_i2d.fits"
    model.meta.cal_step.resample = "COMPLETE"
    model.meta.resample.pointings = _POINTINGS
    model.meta.resample.weight_type = "exptime"
    model.meta.resample.pixel_scale_ratio = model.meta.resample.pixfrac = 1.0
    reached = np.isfinite(image)
    model.wht = np.where(reached, scene.exposure_time, 0.0).astype(np.float32)
    model.con = np.where(reached, 2**_POINTINGS - 1, 0).astype(np.int32)[None]
    return model


def exposures(
    scene: Scene, target: Target, at: Sequence[tuple[float, float]]
) -> list[datamodels.ImageModel]:
    """Return dithered level-2 exposures, the star's centre at each of the pixels ``(x, y)``.

    They share the scene's exposure time, background (it stays with the
    detector) and dead pixels, which the DQ array marks.
    """
    each = replace(scene, exposure_time=scene.exposure_time / len(at))
    made = []
    for i, (x, y) in enumerate(at, start=1):
        image, photon, read = each.draw(x, y, f"noise {i}")
        model = _model(each, target, (x, y), image, photon, read)
        dead = ~np.isfinite(image)
        bad = dqflags.pixel["DO_NOT_USE"] | dqflags.pixel["DEAD"]
        model.dq = np.where(dead, bad, 0).astype(np.uint32)
        model.meta.filename = (
            f"simulated_{scene.band}_{scene.subarray}_{scene.seed}_{i:05d}_cal.fits"
        )
        model.meta.observation.exposure_number = f"{i:05d}"
        model.meta.group_id = f"jw{int(target.program):05d}001001_02101_{i:05d}"
        made.append(model)
    return made


def _model(
    scene: Scene,
    target: Target,
    at: tuple[float, float],
    image: Floats,
    photon: Floats,
    read: Floats,
) -> datamodels.ImageModel:
    unit = target.factor if target.physical else 1.0
    model = datamodels.ImageModel(data=(unit * image).astype(np.float32))
    model.err = (unit * np.sqrt(photon + read)).astype(np.float32)
    model.var_poisson = (unit**2 * photon).astype(np.float32)
    model.var_rnoise = (unit**2 * read).astype(np.float32)
    model.var_flat = np.zeros(scene.size, np.float32)
    model.area = np.ones(scene.size, np.float32)
    model.meta.bunit_data = model.meta.bunit_err = "MJy/sr" if target.physical else "DN/s"
    model.meta.photometry.conversion_megajanskys = target.factor
    model.meta.photometry.pixelarea_steradians = miri().pixel_solid_angle.value
    model.meta.photometry.pixelarea_arcsecsq = miri().pixel_scale ** 2
    _describe(model, scene, target)
    _place(model, scene, target, at)
    return model


def _describe(model: datamodels.ImageModel, scene: Scene, target: Target) -> None:
    meta = model.meta
    meta.telescope = "JWST"
    meta.instrument.name, meta.instrument.detector = "MIRI", "MIRIMAGE"
    meta.instrument.filter = target.filter_keyword or scene.band
    meta.subarray.name = scene.subarray
    meta.subarray.xstart = meta.subarray.ystart = 1
    meta.subarray.ysize, meta.subarray.xsize = scene.size
    meta.program.title = TITLE
    meta.observation.program_number = f"{int(target.program):05d}"
    meta.observation.observation_number, meta.observation.visit_number = "001", "001"
    meta.observation.exposure_number = "00001"
    _time(model, scene, target)
    meta.target.catalog_name = meta.target.proposer_name = target.name
    meta.target.description = TITLE
    meta.target.ra, meta.target.dec = target.position()
    meta.target.proposer_ra, meta.target.proposer_dec = target.ra, target.dec
    meta.target.proper_motion_ra, meta.target.proper_motion_dec = target.motion
    meta.target.proper_motion_epoch = _EPOCH


def _time(model: datamodels.ImageModel, scene: Scene, target: Target) -> None:
    """State when and how long the detector was exposed, and how it was read."""
    exposure, observation = model.meta.exposure, model.meta.observation
    half = scene.exposure_time / 2 / 86400
    start, middle, end = (target.mjd + part for part in (-half, 0.0, half))
    observation.date, observation.time = time.Time(target.mjd, format="mjd").iso.split()
    # A scene without noise is exposed for ages, and a date has four digits for the year.
    within = np.clip([start, end], target.mjd - 366, target.mjd + 366)
    observation.date_beg, observation.date_end = time.Time(within, format="mjd").isot
    exposure.type, exposure.readpatt = "MIR_IMAGE", "FASTR1"
    exposure.start_time, exposure.mid_time, exposure.end_time = start, middle, end
    # The clocks of the Sun's and the Earth's frame are one here.
    exposure.start_time_mjd, exposure.mid_time_mjd, exposure.end_time_mjd = start, middle, end
    exposure.exposure_time = exposure.measurement_time = scene.exposure_time
    exposure.duration = exposure.effective_exposure_time = scene.exposure_time
    exposure.elapsed_exposure_time = scene.exposure_time
    frame = FRAME_TIME[scene.subarray]
    exposure.integration_time = target.integration_time
    exposure.nints = max(1, round(scene.exposure_time / target.integration_time))
    exposure.ngroups = max(1, round(target.integration_time / frame))
    exposure.frame_time = exposure.group_time = frame
    exposure.nframes, exposure.groupgap = 1, 0


def _place(
    model: datamodels.ImageModel, scene: Scene, target: Target, at: tuple[float, float]
) -> None:
    """Give the model a tangent-plane WCS with the target at a pixel, and what resampling asks."""
    ra, dec = target.position()
    step = miri().pixel_scale / 3600
    # East is to the left, as on a map.
    to_sky = (
        models.Shift(-at[0]) & models.Shift(-at[1])
        | models.Scale(-step) & models.Scale(step)
        | models.Pix2Sky_TAN()
        | models.RotateNative2Celestial(ra, dec, 180)
    )
    detector = coordinate_frames.Frame2D(name="detector", unit=(u.pix, u.pix))
    sky = coordinate_frames.CelestialFrame(
        name="world", reference_frame=coordinates.ICRS(), unit=(u.deg, u.deg)
    )
    wcs = gwcs.WCS([(detector, to_sky), (sky, None)])
    rows, columns = scene.size
    wcs.bounding_box = ((-0.5, columns - 0.5), (-0.5, rows - 0.5))
    wcs.array_shape = scene.size
    model.meta.wcs = wcs
    model.meta.wcsinfo.ra_ref, model.meta.wcsinfo.dec_ref = ra, dec
    model.meta.wcsinfo.v2_ref = model.meta.wcsinfo.v3_ref = 0.0
    model.meta.wcsinfo.roll_ref, model.meta.wcsinfo.v3yangle = 0.0, 0.0
    model.meta.wcsinfo.vparity = -1
    _place_for_fits(model, at, (ra, dec))
    update_s_region_imaging(model)


def _place_for_fits(
    model: datamodels.ImageModel, at: tuple[float, float], sky: tuple[float, float]
) -> None:
    """State the same WCS in the words of FITS, for readers that know no other: exactly TAN."""
    words = model.meta.wcsinfo
    words.wcsaxes = 2
    words.ctype1, words.ctype2 = "RA---TAN", "DEC--TAN"
    words.cunit1 = words.cunit2 = "deg"
    words.crpix1, words.crpix2 = (pixel + 1 for pixel in at)  # the first pixel is 1 there
    words.crval1, words.crval2 = sky
    words.cdelt1 = words.cdelt2 = miri().pixel_scale / 3600
    words.pc1_1, words.pc1_2, words.pc2_1, words.pc2_2 = -1.0, 0.0, 0.0, 1.0
    model.meta.coordinates.reference_frame = "ICRS"
