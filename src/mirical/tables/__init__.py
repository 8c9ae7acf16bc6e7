"""Photometry tables, apertures, predicted fluxes, and log calibration factors (paper Eqs. 1-3)."""
