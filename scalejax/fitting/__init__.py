"""Runs and a law in, parameters with their uncertainty out."""
