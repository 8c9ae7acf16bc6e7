"""Candidate observations ranked by what they would tell of a stated goal."""
