"""Posterior in seconds: an approximation at the mode, annealed to the posterior and weighted."""
