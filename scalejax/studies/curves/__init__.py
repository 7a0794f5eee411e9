"""Whole loss curves and the schedules behind them."""
