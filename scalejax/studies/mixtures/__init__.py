"""Training proportions from tables of proxy runs."""
