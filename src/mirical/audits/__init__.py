"""Audits: why a run differs from other factors, one change at a time."""
