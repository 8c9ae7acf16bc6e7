"""Bayesian flux calibration of imaging instruments, beginning with MIRI on JWST.

Standard-star photometry goes in at one end, a posterior over calibration
factors comes out at the other, and everything between is one readable
probabilistic model::

    Observations -> CalibrationFactors -> Design -> posterior -> Calibration

The command line (``mirical --help``) is the front door; each arrow above is
one function of :mod:`mirical.observations`, :mod:`mirical.model`,
:mod:`mirical.inference` and :mod:`mirical.products`; :mod:`mirical.exports`
carries the last to other programs.
"""

__version__ = "0.1.0"
