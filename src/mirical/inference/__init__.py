"""Jobs, sampling, the posterior and its diagnostics, refits, the rows as one Gaussian."""
