"""How sure a fit is: covariances, bootstrap, profiles, draws."""
