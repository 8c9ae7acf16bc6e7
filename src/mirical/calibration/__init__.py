"""Calibration factors: of a posterior, published, staged; compared, and with their error."""
