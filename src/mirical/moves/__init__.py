"""Exact moves of a step given the offsets: scatter, outliers, the stars' colours."""
