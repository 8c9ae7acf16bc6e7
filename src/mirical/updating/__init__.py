"""Updates of a run by new rows: draws reweighted, rows assimilated in batches, or a fit."""
