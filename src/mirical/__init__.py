"""Bayesian flux calibration of imaging instruments, beginning with MIRI on JWST.

Standard-star photometry goes in at one end, a posterior over calibration
factors comes out at the other, and everything between is one readable
probabilistic model::

    import mirical as ml

    run = ml.fit("rows.ecsv", seed=1)
    answer = run.calibration.factor("F770W", "SUB64", 59760.0)
    answer.mean, answer.std  # (MJy/sr)/(DN/s/pixel)

What `__all__` names is promised, nothing else; each name is imported when it is asked for. On the
command line it is ``mirical --help``; docs/python.md shows both side by side.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mirical.version import __version__

if TYPE_CHECKING:
    from mirical.api.calibrations import Calibration, open_calibration, published
    from mirical.api.checks import Check
    from mirical.api.fits import fit
    from mirical.api.runs import Run
    from mirical.api.runs import open_run as open
    from mirical.api.simulations import simulate
    from mirical.errors import InputError
    from mirical.exports.covariance_file import read_covariance

_OFFERED = {
    "Calibration": "api.calibrations.Calibration",
    "Check": "api.checks.Check",
    "InputError": "errors.InputError",
    "Run": "api.runs.Run",
    "fit": "api.fits.fit",
    "open": "api.runs.open_run",
    "open_calibration": "api.calibrations.open_calibration",
    "published": "api.calibrations.published",
    "read_covariance": "exports.covariance_file.read_covariance",
    "simulate": "api.simulations.simulate",
}
"""Where each public name comes from."""

__all__ = [
    "Calibration",
    "Check",
    "InputError",
    "Run",
    "__version__",
    "fit",
    "open",
    "open_calibration",
    "published",
    "read_covariance",
    "simulate",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: ``mirical --help`` needs no library."""
    if name not in _OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, called = _OFFERED[name].rpartition(".")
    return getattr(import_module(f"mirical.{module}"), called)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
