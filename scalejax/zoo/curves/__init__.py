"""Whole loss curves, from the learning rates of their steps."""
