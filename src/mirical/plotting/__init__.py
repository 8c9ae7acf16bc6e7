"""Canvas and marks of all figures."""
