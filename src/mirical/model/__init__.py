"""The generative model: cards, design, terms and their joint density."""
