"""What speaks against a fit: outliers and leverage, residuals that cluster, groups and baseline, the verdict."""

from .diagnose import Diagnosis

__all__ = ["Diagnosis"]
