"""From images to rows: stars found and measured, apertures, encircled energy, mosaics."""
