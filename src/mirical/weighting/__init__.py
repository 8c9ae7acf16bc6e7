"""Draws of a posterior by weights: Pareto smoothing, resampling, offsets drawn again."""
