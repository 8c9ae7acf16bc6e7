"""From rows and spectra to log calibration factors with their errors."""
