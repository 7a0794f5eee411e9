"""Laws in a chain, counted and bounded outcomes: one stacked regression that the solver, intervals and resampling take as it is."""
