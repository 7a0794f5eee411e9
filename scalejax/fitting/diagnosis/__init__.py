"""What speaks against a fit: outliers and leverage, residuals that cluster or trend, groups and baseline, the verdict."""

from .diagnose import Diagnosis
from .verdict import Verdict

__all__ = ["Diagnosis", "Verdict"]
