"""Photometry tables that articles published, fetched from VizieR or read from downloaded files."""
