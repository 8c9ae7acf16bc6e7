"""Jobs: what is to be fitted, and how long."""
