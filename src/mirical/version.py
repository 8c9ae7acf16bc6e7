"""Version of mirical, stamped on everything it writes."""

__version__ = "0.1.0"
