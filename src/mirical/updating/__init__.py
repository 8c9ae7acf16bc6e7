"""Updates of a run by new rows: draws weighed, exact steps from them, or a fit of all rows."""
