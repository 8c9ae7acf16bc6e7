"""Other models of the same rows: fitted, compared, stacked, asked for the future."""
