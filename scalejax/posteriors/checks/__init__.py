"""Can a posterior be believed: chains, predictions, calibration, and who decides it."""
