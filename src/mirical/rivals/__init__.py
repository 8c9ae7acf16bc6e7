"""Rival models of the same rows: fitted, compared, stacked, and asked for forecasts."""
