"""How an optimum is found: starts, solvers and closed forms."""
