"""Bayesian flux calibration of imaging instruments, beginning with MIRI on JWST.

Standard-star photometry goes in at one end, a posterior over calibration
factors comes out at the other, and everything between is one readable
probabilistic model::

    Observations -> CalibrationFactors -> Design -> posterior -> Calibration

These are made by :mod:`mirical.tables`, :mod:`mirical.model`, :mod:`mirical.inference` and
:mod:`mirical.calibration`. On the command line it is ``mirical --help``; in Python,

- `open_calibration` opens a run's folder, or the published coefficients;
- `read_covariance` reads fluxes with their covariance, as ``mirical apply`` writes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirical.version import __version__

if TYPE_CHECKING:
    from mirical.calibration.store import open_calibration
    from mirical.exports.covariance_file import read_covariance

__all__ = ["__version__", "open_calibration", "read_covariance"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: ``mirical --help`` needs no library."""
    if name == "open_calibration":
        from mirical.calibration.store import open_calibration

        return open_calibration
    if name == "read_covariance":
        from mirical.exports.covariance_file import read_covariance

        return read_covariance
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
