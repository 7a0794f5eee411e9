"""A law with priors and a likelihood as a density, its coordinates, its mode, and the sampler that walks it."""
