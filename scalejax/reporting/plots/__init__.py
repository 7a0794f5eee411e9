"""Plots, and what they share."""
