"""Papers on size and data."""
