"""Gibbs and Metropolis moves of a step: offsets, scatter, outliers, the stars' colours."""
