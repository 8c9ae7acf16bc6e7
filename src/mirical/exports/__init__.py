"""Reference files, printed tables, calibrated tables and images made from a calibration."""
