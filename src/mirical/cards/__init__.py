"""Model cards: the terms of a model and every prior, read from TOML and checked."""
