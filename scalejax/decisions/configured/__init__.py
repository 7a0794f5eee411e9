"""Costs of a model from its configuration file."""
