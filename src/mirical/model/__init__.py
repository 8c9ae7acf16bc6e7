"""The generative model: design, terms and their joint density."""
