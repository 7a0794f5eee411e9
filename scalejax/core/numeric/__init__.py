"""Numerical tools that know no law: precision, batches, linear algebra, roots, statistics."""
