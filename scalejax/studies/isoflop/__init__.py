"""Compute-optimal sizes without a loss law: approaches 1 and 2, their noise and their bias."""
