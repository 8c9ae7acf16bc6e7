"""Single figures of a run, of its check and of its draws."""
