"""Chains of draws: sampled until they may be believed, kept as they are made, judged."""
