"""Checks of a run: predictive p-values, infrared excesses, influence of a star."""
