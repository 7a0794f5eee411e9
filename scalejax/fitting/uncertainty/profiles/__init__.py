"""Profiles of the objective, and the intervals that follow them."""
