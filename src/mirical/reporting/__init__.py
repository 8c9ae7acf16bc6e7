"""A run's folder: the fit of a job, its tables, figures and report."""
