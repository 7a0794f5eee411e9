"""Forecasts beyond the runs: many laws, weighed by what they forecast before, with the error that such forecasts had."""
