"""Settings of the JWST pipeline in the paper (section 2), where they are not its defaults.

The first two stages need reference files from CRDS and are the user's to run;
`mirical.imaging.mosaics` does the resampling of the last.
"""

from __future__ import annotations

PIXEL_SCALE = 0.11
"""Side of a mosaic's pixels in arcseconds."""

_RESAMPLE: dict[str, object] = {
    "kernel": "square",
    "weight_type": "exptime",
    "pixel_scale": PIXEL_SCALE,
}

PIPELINE_SETTINGS: dict[str, dict[str, dict[str, object]]] = {
    "calwebb_detector1": {
        "emicorr": {"skip": True},
        # Zero switches the flagging after a jump off.
        "jump": {
            "after_jump_flag_dn1": 0.0,
            "after_jump_flag_time1": 0.0,
            "after_jump_flag_dn2": 0.0,
            "after_jump_flag_time2": 0.0,
            "find_showers": False,
        },
    },
    "calwebb_image2": {"resample": _RESAMPLE},
    "calwebb_image3": {
        "tweakreg": {"skip": True},
        "skymatch": {"skip": True},
        "outlier_detection": {"skip": True},
        "resample": _RESAMPLE,
        "source_catalog": {"skip": True},
    },
}
"""Step parameters by pipeline and step, as ``Pipeline.call(file, steps=...)`` takes them."""


def settings_text() -> str:
    """Return the settings as lines ``pipeline: step.parameter = value``."""
    return "\n".join(
        f"  {pipeline}: {step}.{parameter} = {value}"
        for pipeline, steps in PIPELINE_SETTINGS.items()
        for step, parameters in steps.items()
        for parameter, value in parameters.items()
    )
