"""Files: written whole or not at all, read within bounds, and those that come with mirical."""
