"""Papers on data, its choice and its mixtures, and merged models."""
