"""MIRI's card, for tests: most of them are about it."""

from __future__ import annotations

from mirical.instruments.miri import miri

MIRI = miri()
BANDS, IMAGING_BANDS = MIRI.bands, MIRI.imaging_bands
SUBARRAYS, UNIT_SUBARRAYS, NEWER_SUBARRAYS = MIRI.subarrays, MIRI.unit_subarrays, MIRI.assumed
T0_MJD, REFERENCE_MJD = MIRI.t0, MIRI.reference_mjd
FACTOR, FACTOR_TEXT, COUNT_RATE = MIRI.factor_unit, MIRI.factor_text, MIRI.count_rate
PIXEL_SOLID_ANGLE = MIRI.pixel_solid_angle
