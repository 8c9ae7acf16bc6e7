"""Fast posterior: an approximation at the mode, annealed to the posterior and weighted."""
