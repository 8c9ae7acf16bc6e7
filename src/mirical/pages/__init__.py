"""Pages about a run: what they share, how they are written, how they link to one another."""
