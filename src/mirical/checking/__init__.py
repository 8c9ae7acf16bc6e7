"""Should a run be believed: predictive checks, infrared excesses, influence of stars."""
