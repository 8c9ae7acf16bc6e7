"""What ``import mirical`` offers: fits, stored runs, calibrations, simulated programs."""
