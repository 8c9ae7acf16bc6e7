"""What leaves the house: a calibration in formats of others, applied to their data."""
