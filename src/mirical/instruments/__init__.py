"""Instrument cards: the facts of a camera, read from a folder and checked."""
