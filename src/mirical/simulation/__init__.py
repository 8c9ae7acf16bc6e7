"""Simulated programs of known truth: exposures, errors and faults, tables and images."""
