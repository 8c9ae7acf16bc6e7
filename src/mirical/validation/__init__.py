"""Simulation-based calibration, recovery of known truth, studies of the checks."""
