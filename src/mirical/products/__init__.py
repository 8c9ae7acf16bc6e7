"""Calibrations and what is made of them: tables, figures, reports."""
