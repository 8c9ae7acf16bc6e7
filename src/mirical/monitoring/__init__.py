"""Whether a run's calibration still holds: a sequential test of the rows taken since the fit."""
