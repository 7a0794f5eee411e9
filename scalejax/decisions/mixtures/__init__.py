"""Training proportions: a mixture problem as a program, its solution and what it is worth."""
