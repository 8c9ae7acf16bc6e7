"""Jobs, sampling, diagnostics and predictive checks."""
