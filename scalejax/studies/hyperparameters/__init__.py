"""Learning rates, batches and how they carry over, from tables of runs."""
