"""Loss by parameters, tokens and compute."""
